#include "services/gateway/openapi/components_writer.h"

#include <string>

#include "services/gateway/http/problem.h"

namespace peiling::gateway {
namespace {

// A header of answers or requests.
struct Header {
  const char* name;
  // JSON Schema's "type".
  const char* type;
  const char* description;
};

constexpr Header kAnswerHeaders[] = {
    {"API-Version", "string", "Version of this interface, in full."},
    {"X-Request-Id", "string", "Under which this call is in logs: as sent with the request, or made up."},
    {"ETag", "string", "Changes with every change; for `If-Match` and `If-None-Match`."},
    {"Retry-After", "integer", "Seconds to wait before trying again."},
    {"Access-Control-Allow-Origin", "string", "`*`."},
};

constexpr Header kParameters[] = {
    {"If-Match", "string", "Only if it still has this `ETag`; instead of `etag`."},
    {"If-None-Match", "string", "Only if it no longer has this `ETag`."},
    {"Last-Event-ID", "string", "Go on after this event; instead of `afterSequence`. A browser's `EventSource` sends it by itself."},
};

// A way in which an operation is refused or fails, of which clients are to know.
struct Refusal {
  int status;
  const char* description;
};

constexpr Refusal kRefusals[] = {
    {400, "The request is not as it should be: `errors` says all that is wrong with it."},
    {401, "No credentials, or none that hold."},
    {403, "None of the caller's roles may do this, or not with what the call is about."},
    {404, "There is no such thing."},
    {406, "None of the types in `Accept` can be given."},
    {409, "It is in no state for this, or somebody else changed it meanwhile."},
    {412, "It is no longer as `If-Match` says."},
    {413, "The body is too large."},
    {415, "The body is of a type that is not read here."},
    {429, "Too many calls of this caller, or too many under way: try again later."},
    {500, "Something broke that should not."},
    {503, "Not now: try again later."},
    {504, "It did not end in time."},
};

void WriteSecuritySchemes(Json& json) {
  json.Object("securitySchemes", [&] {
    json.Object("apiKey", [&] {
      json.Text("type", "http");
      json.Text("scheme", "bearer");
      json.Text("bearerFormat", "peiling_<id>_<secret>");
      json.Text("description", "An API key, given out by an administrator.");
    });
    json.Object("invitation", [&] {
      json.Text("type", "http");
      json.Text("scheme", "bearer");
      json.Text("bearerFormat", "peiling-uitnodiging_<invitation>_<secret>");
      json.Text("description", "The token in the link of an invitation: for its one response, as a respondent.");
    });
    json.Object("accessToken", [&] {
      json.Text("type", "http");
      json.Text("scheme", "bearer");
      json.Text("bearerFormat", "JWT");
      json.Text("description",
                "An access token of an OpenID provider that the installation trusts. (Systems may show a client certificate instead: "
                "mutual TLS, which "
                "OpenAPI 3.0 has no word for.)");
    });
  });
}

// Members of the schema of the header's value.
void WriteHeader(const Header& header, Json& json) {
  json.Text("description", header.description);
  json.Object("schema", [&] { json.Text("type", header.type); });
}

void WriteHeaders(Json& json) {
  json.Object("headers", [&] {
    for (const Header& header : kAnswerHeaders) json.Object(header.name, [&] { WriteHeader(header, json); });
  });
}

void WriteParameters(Json& json) {
  json.Object("parameters", [&] {
    for (const Header& header : kParameters) {
      json.Object(header.name, [&] {
        json.Text("name", header.name);
        json.Text("in", "header");
        WriteHeader(header, json);
      });
    }
  });
}

void WriteRefusal(const Refusal& refusal, Json& json) {
  json.Text("description", refusal.description);
  json.Object("headers", [&] {
    for (const char* header : {"API-Version", "X-Request-Id"}) json.Object(header, [&] { json.Reference("headers", header); });
    if (refusal.status == 429 || refusal.status == 503) json.Object("Retry-After", [&] { json.Reference("headers", "Retry-After"); });
  });
  json.Object("content", [&] { json.Object(kProblemType, [&] { json.Object("schema", [&] { json.Reference("schemas", "Problem"); }); }); });
}

void WriteResponses(Json& json) {
  json.Object("responses", [&] {
    for (const Refusal& refusal : kRefusals) json.Object(std::to_string(refusal.status), [&] { WriteRefusal(refusal, json); });
  });
}

void WriteProperty(const char* name, const char* type, const char* description, Json& json) {
  json.Object(name, [&] {
    json.Text("type", type);
    json.Text("description", description);
  });
}

// One of "errors".
void WriteProblemError(Json& json) {
  json.Text("type", "object");
  json.Object("properties", [&] {
    WriteProperty("in", "string", "Where in the request: `path`, `query`, `body`.", json);
    json.Object("location", [&] {
      json.Text("type", "object");
      json.Text("description", "What there.");
      json.Object("properties", [&] {
        WriteProperty("pointer", "string", "In the body: a JSON pointer (RFC 6901) after a `#`.", json);
        WriteProperty("name", "string", "In path or query: the parameter. What is nowhere in the body, as the service calls it.", json);
        WriteProperty("index", "integer", "Which of the parameters of that name, from 0.", json);
      });
    });
    WriteProperty("detail", "string", "What is wrong with it.", json);
  });
  json.Array("required", [&] {
    for (const char* name : {"in", "location", "detail"}) json.Text(name);
  });
}

// RFC 9457, as problem.h has it.
void WriteProblem(Json& json) {
  json.Object("Problem", [&] {
    json.Text("type", "object");
    json.Text("description", "What is wrong with a call (RFC 9457).");
    json.Object("properties", [&] {
      WriteProperty("type", "string", "What kind of problem it is: the reason as a URN.", json);
      WriteProperty("title", "string", "What the status means, in Dutch.", json);
      WriteProperty("status", "integer", "The status of the answer.", json);
      WriteProperty("detail", "string", "What is wrong here.", json);
      WriteProperty("instance", "string", "The call: its request id as a URN.", json);
      WriteProperty("reason", "string", "What programs tell problems apart by, UPPER_SNAKE.", json);
      json.Object("metadata", [&] {
        json.Text("type", "object");
        json.Text("description", "Facts about it, by name.");
        json.Object("additionalProperties", [&] { json.Text("type", "string"); });
      });
      json.Object("errors", [&] {
        json.Text("type", "array");
        json.Text("description", "All that is wrong with the request.");
        json.Object("items", [&] { WriteProblemError(json); });
      });
    });
    json.Array("required", [&] {
      for (const char* name : {"type", "title", "status", "detail", "reason"}) json.Text(name);
    });
  });
}

}  // namespace

void WriteSecurity(Json& json) {
  json.Array("security", [&] {
    for (const char* scheme : {"apiKey", "accessToken", "invitation"}) {
      json.Object([&] { json.Array(scheme, [] {}); });
    }
  });
}

absl::Status WriteComponents(SchemaWriter& schemas, Json& json) {
  absl::Status status;
  json.Object("components", [&] {
    WriteSecuritySchemes(json);
    WriteHeaders(json);
    WriteParameters(json);
    WriteResponses(json);
    status = schemas.Schemas([&] { WriteProblem(json); });
  });
  return status;
}

}  // namespace peiling::gateway
