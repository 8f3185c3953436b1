#include "services/gateway/openapi/components_writer.h"

#include <functional>
#include <string_view>

namespace peiling::gateway {
namespace {

struct Header {
  const char* name;
  const char* description;
  // JSON Schema's "type".
  const char* type;
};

constexpr Header kHeaders[] = {
    {"ApiVersion", "Version of this interface, in full.", "string"},
    {"RequestId", "Under which this call is in logs: as sent in the request, or made here.", "string"},
    {"ETag", "Of this content: sent back in If-None-Match, it saves sending it again.", "string"},
    {"RetryAfter", "Seconds to wait before trying again.", "integer"},
    {"AnyOrigin", "`*`.", "string"},
};

// A way in which an operation is refused or fails, of which clients are to know.
struct Refusal {
  const char* name;
  const char* description;
};

constexpr Refusal kRefusals[] = {
    {"BadRequest",
     "The request is not as it should be; `errors` says all that is wrong with it. Or what it is about is in no state for it."},
    {"Unauthorized", "No credentials, or none that hold."},
    {"Forbidden", "None of the caller's roles may do this, or not with what the call is about."},
    {"NotFound", "There is no such thing."},
    {"NotAcceptable", "None of the types in `Accept` can be given."},
    {"Conflict", "There is such a thing already, or somebody else changed it meanwhile."},
    {"PreconditionFailed", "It is no longer as `If-Match` says."},
    {"ContentTooLarge", "The body is too large."},
    {"UnsupportedMediaType", "The body is of a type that is not read here."},
    {"TooManyRequests", "Too many calls, or too much under way: try again later."},
    {"InternalError", "Something broke that should not."},
    {"Unavailable", "Not now: try again later."},
    {"DeadlineExceeded", "It did not end in time."},
};

void WriteSecuritySchemes(Json& json) {
  json.Object("securitySchemes", [&] {
    json.Object("apiKey", [&] {
      json.Text("type", "http");
      json.Text("scheme", "bearer");
      json.Text("bearerFormat", "peiling_<id>_<secret>");
      json.Text("description", "An API key, given out by an administrator.");
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

void WriteHeaders(Json& json) {
  json.Object("headers", [&] {
    for (const Header& header : kHeaders) {
      json.Object(header.name, [&] {
        json.Text("description", header.description);
        json.Object("schema", [&] { json.Text("type", header.type); });
      });
    }
  });
}

void WriteResponses(Json& json) {
  json.Object("responses", [&] {
    for (const Refusal& refusal : kRefusals) {
      json.Object(refusal.name, [&] {
        json.Text("description", refusal.description);
        json.Object("headers", [&] {
          json.Object("API-Version", [&] { json.Text("$ref", "#/components/headers/ApiVersion"); });
          json.Object("X-Request-Id", [&] { json.Text("$ref", "#/components/headers/RequestId"); });
        });
        json.Object("content", [&] {
          json.Object("application/problem+json",
                      [&] { json.Object("schema", [&] { json.Text("$ref", "#/components/schemas/Problem"); }); });
        });
      });
    }
  });
}

struct Member {
  const char* name;
  const char* type;
  const char* description;
};

constexpr Member kProblem[] = {
    {"type", "string", "`about:blank`: the status says which kind of problem it is."},
    {"title", "string", "What kind of problem, Dutch."},
    {"status", "integer", "The status of HTTP."},
    {"detail", "string", "What is wrong."},
    {"instance", "string", "The path that was called."},
    {"reason", "string", "What programs tell problems apart by, UPPER_SNAKE; see the operation."},
};

// RFC 9457.
void WriteProblem(Json& json) {
  json.Object("Problem", [&] {
    json.Text("type", "object");
    json.Text("description", "What is wrong with a call (RFC 9457).");
    json.Object("properties", [&] {
      for (const Member& member : kProblem) {
        json.Object(member.name, [&] {
          json.Text("type", member.type);
          json.Text("description", member.description);
        });
      }
    });
    json.Array("required", [&] {
      for (const char* name : {"status", "title", "detail"}) json.Text(name);
    });
  });
}

}  // namespace

void WriteSecurity(Json& json) {
  json.Array("security", [&] {
    for (const char* scheme : {"apiKey", "accessToken"}) {
      json.Object([&] { json.Array(scheme, [] {}); });
    }
  });
}

absl::Status WriteComponents(SchemaWriter& schemas, Json& json) {
  absl::Status status;
  json.Object("components", [&] {
    WriteSecuritySchemes(json);
    WriteHeaders(json);
    WriteResponses(json);
    status = schemas.Schemas([&] { WriteProblem(json); });
  });
  return status;
}

}  // namespace peiling::gateway
