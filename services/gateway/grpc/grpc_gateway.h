// gRPC at the edge: the listener, and calls passed on.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/server/server.h"
#include "services/gateway/connections/connection_server.h"
#include "services/gateway/door.h"
#include "services/gateway/grpc/grpc_session.h"
#include "services/gateway/grpc/proxy.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

struct GrpcOptions {
  ConnectionServerOptions connections;
  // What of these the options of the server name is taken from there.
  GrpcLimits limits;
};

// Adds --grpc-max-connections, --grpc-threads and --client-patience, with environment variables PEILING_GATEWAY_….
void AddFlags(CLI::App& app, GrpcOptions& options);

// Thread-safe.
class GrpcGateway {
 public:
  // At `server`'s address, with its certificates and limits. `door` must outlive it. The errors of tls::ServerContexts;
  // FAILED_PRECONDITION/TLS_REQUIRED for a plaintext listener that others than this machine could reach.
  static absl::StatusOr<std::unique_ptr<GrpcGateway>> Make(const GrpcOptions& options, const server::Options& server, Door& door,
                                                           const RouteTable& routes);
  ~GrpcGateway() { Stop(); }

  // Listens, unless there is no address to listen at. Anybody may ask `health`, which is given as grpc.health.v1. `name` labels the metrics
  // of calls. The errors of ConnectionServer.
  absl::Status Start(const std::string& name, const std::shared_ptr<grpc::Channel>& health);
  // The port it listens on; 0 when it does not.
  int port() const { return server_ == nullptr ? 0 : server_->port(); }
  // Takes no more calls; those under way go on.
  void Close();
  // The same, and gives those under way the server's drain time. From its return on there are none.
  void Stop();

 private:
  GrpcGateway(GrpcOptions options, std::chrono::seconds grace, Door& door, const RouteTable& routes);

  const GrpcOptions options_;
  const std::chrono::seconds grace_;
  Door& door_;
  const RouteTable& routes_;
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<ConnectionServer> server_;
};

// Listens and passes on to `proxy`, which must outlive it.
absl::StatusOr<std::unique_ptr<ConnectionServer>> StartGrpcServer(ConnectionServerOptions options, const GrpcLimits& limits, Proxy& proxy);

}  // namespace peiling::gateway
