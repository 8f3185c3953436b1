// The operations of the HTTP interface: what is asked at which path, by whom, and what comes back.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/gateway/http/http_rule.h"
#include "services/gateway/openapi/comments.h"
#include "services/gateway/openapi/json.h"
#include "services/gateway/openapi/schema_writer.h"

namespace peiling::gateway {

// As OpenAPI writes the route's path below the base path, its variables called after the collection they stand in:
// "/v1/{name=surveys/*/waves/*}" → "/surveys/{survey}/waves/{wave}".
std::string OpenApiPath(const HttpRoute& route);
// Unique: "tabulate", "tabulateWithPost" for the second rule of a method.
std::string OperationId(const HttpRoute& route);
// As tags name a service: "Intake" of peiling.intake.v1.IntakeService.
std::string TagOf(const google::protobuf::ServiceDescriptor& service);

// Writes "paths". Not thread-safe.
class PathWriter {
 public:
  // All must outlive it.
  PathWriter(const Comments& comments, SchemaWriter& schemas, Json& json) : comments_(comments), schemas_(schemas), json_(json) {}

  // By path, and in the order of the contract within one.
  void Paths(const std::vector<const HttpRoute*>& routes);

 private:
  void OpenApiOperation();
  void Operation(const HttpRoute& route);
  std::string Description(const HttpRoute& route) const;
  void Roles(const HttpRoute& route);
  void Parameters(const HttpRoute& route);
  void PathParameters(const HttpRoute& route);
  void QueryParameter(const gateway::QueryParameter& parameter);
  void RequestBody(const HttpRoute& route);
  void Responses(const HttpRoute& route);
  void Headers(const HttpRoute& route);
  void Answer(const HttpRoute& route);

  const Comments& comments_;
  SchemaWriter& schemas_;
  Json& json_;
};

}  // namespace peiling::gateway
