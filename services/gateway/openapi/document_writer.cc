#include "services/gateway/openapi/document_writer.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "peiling/access/v1/options.pb.h"
#include "services/gateway/http/api_version.h"
#include "services/gateway/http/http_rule.h"
#include "services/gateway/http/problem.h"
#include "services/gateway/openapi/comments.h"
#include "services/gateway/openapi/components_writer.h"
#include "services/gateway/openapi/json.h"
#include "services/gateway/openapi/path_writer.h"
#include "services/gateway/openapi/schema_writer.h"

namespace peiling::gateway {
namespace {

namespace pb = google::protobuf;

// All paths are below it.
constexpr char kVersion[] = "v1";

// With which HTTP status an error of each code of gRPC is told.
std::string StatusTable() {
  std::string table = "\n| code | status |\n|---|---|\n";
  for (int code = 1; code <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++code) {
    const absl::Status error(static_cast<absl::StatusCode>(code), "");
    absl::StrAppend(&table, "| ", absl::StatusCodeToString(error.code()), " | ", HttpStatusOf(error), " |\n");
  }
  return table;
}

void WriteInfo(std::string_view introduction, Json& json) {
  json.Object("info", [&] {
    json.Text("title", "Peiling");
    json.Text("version", kApiVersion);
    json.Text("description", std::string(introduction) + StatusTable());
    json.Object("contact", [&] {
      json.Text("name", "Peiling, Vereniging van Nederlandse Gemeenten");
      json.Text("email", "peiling@vng.nl");
      json.Text("url", "https://peiling.vng.nl");
    });
  });
}

// Whoever runs it has a host of their own.
void WriteServers(Json& json) {
  json.Array("servers", [&] {
    json.Object([&] {
      json.Text("url", absl::StrCat("https://{host}/", kVersion));
      json.Object("variables", [&] {
        json.Object("host", [&] {
          json.Text("default", "peiling.vng.nl");
          json.Text("description", "Where the gateway is, with its port unless that is 443.");
        });
      });
    });
  });
}

void WriteTags(const std::vector<const pb::ServiceDescriptor*>& services, const Comments& comments, Json& json) {
  json.Array("tags", [&] {
    for (const pb::ServiceDescriptor* service : services) {
      json.Object([&] {
        json.Text("name", TagOf(*service));
        json.Text("description", absl::StrCat(comments.Of(*service), "\n\n", comments.OfFile(*service->file())));
      });
    }
    json.Object([&] {
      json.Text("name", "OpenAPI");
      json.Text("description", "What the interface is.");
    });
  });
}

}  // namespace

absl::StatusOr<std::string> OpenApiDocumentOf(const std::vector<const pb::ServiceDescriptor*>& services, std::string_view introduction) {
  const auto rules = HttpRules::Of(services);
  if (!rules.ok()) return rules.status();
  std::vector<const HttpRoute*> routes;
  for (const auto& route : rules->routes()) {
    if (!route->method->options().HasExtension(access::v1::access)) continue;
    if (route->segments.front().literal != kVersion) {
      return absl::InvalidArgumentError(absl::StrCat(route->method->full_name(), ": ", route->path_template, " is not below /", kVersion));
    }
    routes.push_back(route.get());
  }
  const Comments comments(services);
  Json json;
  SchemaWriter schemas(comments, json);
  absl::Status status;
  json.Object([&] {
    json.Text("openapi", "3.0.3");
    WriteInfo(introduction, json);
    WriteServers(json);
    WriteTags(services, comments, json);
    WriteSecurity(json);
    PathWriter(comments, schemas, json).Paths(routes);
    status = WriteComponents(schemas, json);
  });
  if (!status.ok()) return status;
  return json.Take();
}

}  // namespace peiling::gateway
