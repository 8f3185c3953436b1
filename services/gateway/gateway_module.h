// The gateway, put together: one address for the RPCs of all services, and one for the same over HTTP.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "services/common/server/module.h"
#include "services/common/server/server.h"
#include "services/gateway/audit_trail.h"
#include "services/gateway/grpc/grpc_gateway.h"
#include "services/gateway/http/http_gateway.h"
#include "services/gateway/identity/gateway_authenticator.h"
#include "services/gateway/limits.h"

namespace peiling::gateway {

struct Options {
  IdentityOptions identity;
  CallLimits limits;
  AuditOptions audit;
  GrpcOptions grpc;
  HttpOptions http;
  // "-": stderr; "off": none; else a file.
  std::string access_log = "-";
};

// Adds the flags above, with environment variables PEILING_GATEWAY_….
void AddFlags(CLI::App& app, Options& options);

// Channels to the services, in the order of their names.
struct Channels {
  std::shared_ptr<grpc::Channel> access;
  std::shared_ptr<grpc::Channel> analytics;
  std::shared_ptr<grpc::Channel> dedup;
  std::shared_ptr<grpc::Channel> fieldwork;
  std::shared_ptr<grpc::Channel> intake;
  std::shared_ptr<grpc::Channel> registry;
  std::shared_ptr<grpc::Channel> validation;
};

// Ready when every backend is, and callers can be told; health by service name is that of the backend. `server`: the options of the server
// that is to run it. When it stops, no further call to a backend is begun, but the audit log is written until it is destroyed, after its
// server: so `access` must live longer. The errors of MakeAuthenticator, Permissions::Compile, AccessLog::Open,
// GrpcGateway::Make and HttpGateway::Make.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(Options options, const server::Options& server, const Channels& channels);

// The same over any backends; keys come from `access`, invitations are asked of `fieldwork`.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(Options options, const server::Options& server, std::vector<Backend> backends,
                                                           const std::shared_ptr<grpc::Channel>& access,
                                                           const std::shared_ptr<grpc::Channel>& fieldwork);

}  // namespace peiling::gateway
