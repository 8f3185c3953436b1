#include "services/gateway/openapi/path_writer.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "peiling/access/v1/options.pb.h"
#include "services/gateway/http/negotiation.h"
#include "services/gateway/http/transcoder.h"

namespace peiling::gateway {
namespace {

namespace pb = google::protobuf;

std::string LowerFirst(std::string text) {
  text[0] = absl::ascii_tolower(static_cast<unsigned char>(text[0]));
  return text;
}

// What one of a collection is called, as a variable: "municipalities" → "municipality", "audit-entries" → "auditEntry".
std::string Singular(std::string_view collection) {
  std::string result;
  for (const absl::string_view word : absl::StrSplit(absl::string_view(collection.data(), collection.size()), '-')) {
    result += result.empty() ? std::string(word) : absl::StrCat(absl::AsciiStrToUpper(word.substr(0, 1)), word.substr(1));
  }
  if (absl::EndsWith(result, "ies")) return result.replace(result.size() - 3, 3, "y");
  return std::string(absl::StripSuffix(result, "s"));
}

// The segment as OpenAPI writes it.
std::string SegmentText(const HttpRoute& route, size_t at) {
  if (!route.segments[at].literal.empty()) return route.segments[at].literal;
  return absl::StrCat("{", Singular(at == 0 ? "" : route.segments[at - 1].literal), "}");
}

std::string Joined(const HttpRoute& route, size_t first, size_t count) {
  std::vector<std::string> segments;
  for (size_t at = first; at < first + count; ++at) segments.push_back(SegmentText(route, at));
  return absl::StrJoin(segments, "/");
}

const access::v1::Access& AccessOf(const HttpRoute& route) { return route.method->options().GetExtension(access::v1::access); }

// As keys are given them and grants are written: "researcher".
std::string RoleName(access::v1::Role role) { return absl::AsciiStrToLower(absl::StripPrefix(access::v1::Role_Name(role), "ROLE_")); }

// A message that its reader can ask for again only if it has changed.
bool HasEtag(const pb::Descriptor& type) { return type.FindFieldByName("etag") != nullptr; }

// What the answer shows, of a stream one by one.
const pb::Descriptor& AnswerType(const HttpRoute& route) {
  return route.response_field != nullptr ? *route.response_field->message_type() : *route.method->output_type();
}

bool ShowsEtag(const HttpRoute& route) { return route.verb == "GET" && !route.method->server_streaming() && HasEtag(AnswerType(route)); }

bool HasBody(const HttpRoute& route) { return route.whole_body || route.body_field != nullptr; }

// With which statuses the operation may be refused or fail.
std::set<int> RefusalsOf(const HttpRoute& route) {
  std::set<int> refusals = {400, 401, 404, 406, 409, 429, 500, 503, 504};
  if (!AccessOf(route).anonymous()) refusals.insert(403);
  if (TakesEtag(route)) refusals.insert(412);
  if (HasBody(route)) refusals.insert({413, 415});
  return refusals;
}

}  // namespace

std::string OpenApiPath(const HttpRoute& route) { return "/" + Joined(route, 1, route.segments.size() - 1); }

std::string OperationId(const HttpRoute& route) {
  const std::string id = LowerFirst(route.method->name());
  if (route.binding == 0) return id;
  return absl::StrCat(id, "With", route.verb.substr(0, 1), absl::AsciiStrToLower(route.verb.substr(1)));
}

std::string TagOf(const pb::ServiceDescriptor& service) { return std::string(absl::StripSuffix(service.name(), "Service")); }

void PathWriter::Paths(const std::vector<const HttpRoute*>& routes) {
  std::map<std::string, std::vector<const HttpRoute*>> by_path;
  for (const HttpRoute* route : routes) by_path[OpenApiPath(*route)].push_back(route);
  json_.Object("paths", [&] {
    json_.Object("/openapi.json", [&] { json_.Object("get", [&] { OpenApiOperation(); }); });
    for (const auto& [path, there] : by_path) {
      json_.Object(path, [&, &there = there] {
        for (const HttpRoute* route : there) json_.Object(absl::AsciiStrToLower(route->verb), [&] { Operation(*route); });
      });
    }
  });
}

// The document itself, which no contract names.
void PathWriter::OpenApiOperation() {
  json_.Array("tags", [&] { json_.Text("OpenAPI"); });
  json_.Text("operationId", "getOpenApi");
  json_.Text("summary", "This document");
  json_.Text("description", "This document. Takes no credentials.");
  json_.Array("security", [] {});
  json_.Object("responses", [&] {
    json_.Object("200", [&] {
      json_.Text("description", "OpenAPI 3.0.");
      json_.Object("headers", [&] {
        json_.Object("API-Version", [&] { json_.Reference("headers", "API-Version"); });
        json_.Object("access-control-allow-origin", [&] { json_.Reference("headers", "Access-Control-Allow-Origin"); });
      });
      json_.Object("content", [&] { json_.Object(kJsonType, [&] { json_.Object("schema", [&] { json_.Text("type", "object"); }); }); });
    });
  });
}

void PathWriter::Operation(const HttpRoute& route) {
  json_.Array("tags", [&] { json_.Text(TagOf(*route.method->service())); });
  json_.Text("operationId", OperationId(route));
  json_.Text("summary", FirstSentence(comments_.Of(*route.method)));
  json_.Text("description", Description(route));
  if (AccessOf(route).anonymous()) json_.Array("security", [] {});
  Roles(route);
  Parameters(route);
  if (HasBody(route)) json_.Object("requestBody", [&] { RequestBody(route); });
  json_.Object("responses", [&] { Responses(route); });
}

std::string PathWriter::Description(const HttpRoute& route) const {
  const auto& access = AccessOf(route);
  if (access.anonymous()) return absl::StrCat(comments_.Of(*route.method), "\n\nTakes no credentials.");
  std::vector<std::string> roles;
  for (const int role : access.roles()) roles.push_back(RoleName(static_cast<access::v1::Role>(role)));
  std::string description = absl::StrCat(comments_.Of(*route.method), "\n\nRoles: ", absl::StrJoin(roles, ", "));
  if (!access.resource().empty()) {
    absl::StrAppend(&description, "; limited to some surveys or waves, within those.");
  } else {
    absl::StrAppend(&description, access.unlimited() ? ", limited or not." : ", not limited to some surveys or waves.");
  }
  if (access.audited()) absl::StrAppend(&description, " Each call is in the audit log.");
  return description;
}

// For programs: "x-roles".
void PathWriter::Roles(const HttpRoute& route) {
  json_.Array("x-roles", [&] {
    for (const int role : AccessOf(route).roles()) json_.Text(RoleName(static_cast<access::v1::Role>(role)));
  });
}

void PathWriter::Parameters(const HttpRoute& route) {
  json_.Array("parameters", [&] {
    PathParameters(route);
    for (const gateway::QueryParameter& parameter : route.query) json_.Object([&] { QueryParameter(parameter); });
    if (TakesEtag(route)) json_.Object([&] { json_.Reference("parameters", "If-Match"); });
    if (ShowsEtag(route)) json_.Object([&] { json_.Reference("parameters", "If-None-Match"); });
    if (TakesAfterSequence(route)) json_.Object([&] { json_.Reference("parameters", "Last-Event-ID"); });
  });
}

void PathWriter::PathParameters(const HttpRoute& route) {
  for (const PathVariable& variable : route.variables) {
    const std::string name = Joined(route, variable.first, variable.count);
    for (size_t at = variable.first; at < variable.first + variable.count; ++at) {
      if (!route.segments[at].literal.empty()) continue;
      json_.Object([&] {
        const std::string segment = SegmentText(route, at);
        json_.Text("name", std::string_view(segment).substr(1, segment.size() - 2));
        json_.Text("in", "path");
        json_.True("required");
        json_.Text("description", absl::StrCat("Part of the name `", name, "`. ", comments_.Of(*variable.field.back())));
        json_.Object("schema", [&] { json_.Text("type", "string"); });
      });
    }
  }
}

void PathWriter::QueryParameter(const gateway::QueryParameter& parameter) {
  std::vector<std::string> description;
  for (const pb::FieldDescriptor* field : parameter.field) description.push_back(comments_.Of(*field));
  json_.Text("name", parameter.name);
  json_.Text("in", "query");
  if (std::all_of(parameter.field.begin(), parameter.field.end(), [](const auto* field) { return IsRequired(*field); }))
    json_.True("required");
  json_.Text("description", absl::StrJoin(description, " "));
  json_.Object("schema", [&] { schemas_.Field(*parameter.field.back(), ""); });
}

void PathWriter::RequestBody(const HttpRoute& route) {
  const bool stream = route.method->client_streaming();
  if (stream) json_.Text("description", "A stream: each line is one of these.");
  json_.True("required");
  const auto schema = [&] {
    if (route.body_field != nullptr) return schemas_.RequestReference(*route.body_field->message_type(), {});
    SchemaWriter::Fields in_path;
    for (const PathVariable& variable : route.variables) {
      if (variable.field.size() == 1) in_path.insert(variable.field.back());
    }
    schemas_.RequestReference(*route.method->input_type(), in_path);
  };
  std::vector<const char*> types = {stream ? kNdjsonType : kJsonType};
  if (TakesForm(route)) types.insert(types.end(), {kFormType, kMultipartType});
  json_.Object("content", [&] {
    for (const char* type : types) json_.Object(type, [&] { json_.Object("schema", schema); });
  });
}

void PathWriter::Responses(const HttpRoute& route) {
  json_.Object("200", [&] { Answer(route); });
  if (ShowsEtag(route)) {
    json_.Object("304", [&] {
      json_.Text("description", "It is still as `If-None-Match` says.");
      Headers(route);
    });
  }
  for (const int status : RefusalsOf(route)) {
    const std::string name = std::to_string(status);
    json_.Object(name, [&] { json_.Reference("responses", name); });
  }
}

void PathWriter::Headers(const HttpRoute& route) {
  json_.Object("headers", [&] {
    for (const char* header : {"API-Version", "X-Request-Id"}) json_.Object(header, [&] { json_.Reference("headers", header); });
    if (ShowsEtag(route)) json_.Object("ETag", [&] { json_.Reference("headers", "ETag"); });
  });
}

void PathWriter::Answer(const HttpRoute& route) {
  const bool stream = route.method->server_streaming();
  const std::string said = comments_.Of(AnswerType(route));
  json_.Text("description",
             stream ? absl::StrCat("A stream of these, one on each line or in each event; an error on the way is its last line, or an "
                                   "event named `problem`. ",
                                   said)
                    : said);
  Headers(route);
  json_.Object("content", [&] {
    for (const char* type : stream ? std::vector{kNdjsonType, kEventsType} : std::vector{kJsonType}) {
      json_.Object(type, [&] {
        json_.Object("schema", [&] {
          if (!stream) return schemas_.AnswerReference(AnswerType(route));
          json_.Array("anyOf", [&] {
            json_.Object([&] { schemas_.AnswerReference(AnswerType(route)); });
            json_.Object([&] { json_.Reference("schemas", "Problem"); });
          });
        });
      });
    }
  });
}

}  // namespace peiling::gateway
