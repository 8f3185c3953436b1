#include "services/gateway/grpc/grpc_gateway.h"

#include <chrono>
#include <utility>

#include "services/common/server/credentials.h"

namespace peiling::gateway {

void AddFlags(CLI::App& app, GrpcOptions& options) {
  app.add_option("--grpc-max-connections", options.connections.max_connections,
                 "gRPC connections at once; one more ends the one idle longest")
      ->envname("PEILING_GATEWAY_GRPC_MAX_CONNECTIONS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--grpc-threads", options.connections.threads, "Threads for gRPC connections")
      ->envname("PEILING_GATEWAY_GRPC_THREADS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option_function<int>(
         "--client-patience", [&options](int seconds) { options.limits.patience = std::chrono::seconds(seconds); },
         "Seconds that a client may keep a call waiting before it is ended")
      ->envname("PEILING_GATEWAY_CLIENT_PATIENCE")
      ->check(CLI::PositiveNumber)
      ->default_str(std::to_string(std::chrono::duration_cast<std::chrono::seconds>(options.limits.patience).count()));
}

absl::StatusOr<std::unique_ptr<GrpcGateway>> GrpcGateway::Make(const GrpcOptions& options, const server::Options& server, Door& door,
                                                               const RouteTable& routes) {
  GrpcOptions made = options;
  made.connections.listen = server.listen;
  if (!server.listen.empty()) {
    if (absl::Status safe = server::CheckExposure(server.listen, server, true); !safe.ok()) return safe;
    if (!server.tls.certificate.empty()) {
      auto contexts = tls::ServerContexts::Open(server.tls, tls::Protocol::kHttp2);
      if (!contexts.ok()) return contexts.status();
      made.connections.tls = *std::move(contexts);
    }
  }
  made.limits.max_message_bytes = server.max_message_bytes;
  made.limits.max_metadata_bytes = server.max_metadata_bytes;
  made.limits.max_streams = static_cast<uint32_t>(server.max_concurrent_streams);
  made.limits.max_unread_bytes = server.max_buffer_bytes;
  return std::unique_ptr<GrpcGateway>(new GrpcGateway(std::move(made), std::chrono::seconds(server.drain_seconds), door, routes));
}

GrpcGateway::GrpcGateway(GrpcOptions options, std::chrono::seconds grace, Door& door, const RouteTable& routes)
    : options_(std::move(options)), grace_(grace), door_(door), routes_(routes) {}

absl::Status GrpcGateway::Start(const std::string& name, const std::shared_ptr<grpc::Channel>& health) {
  if (options_.connections.listen.empty()) return absl::OkStatus();
  proxy_ = std::make_unique<Proxy>(door_, routes_, name, health);
  auto server = StartGrpcServer(options_.connections, options_.limits, *proxy_);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  return absl::OkStatus();
}

void GrpcGateway::Close() {
  if (server_ != nullptr) server_->Close();
}

void GrpcGateway::Stop() {
  if (server_ != nullptr) server_->Stop(grace_);
}

absl::StatusOr<std::unique_ptr<ConnectionServer>> StartGrpcServer(ConnectionServerOptions options, const GrpcLimits& limits, Proxy& proxy) {
  auto shared = std::make_shared<GrpcShared>();
  shared->limits = limits;
  shared->handler = [&proxy](std::shared_ptr<RpcStream> stream) { proxy.Handle(std::move(stream)); };
  options.handshake_time = limits.preface_time;
  options.protocol = "grpc";
  return ConnectionServer::Start(
      options, [shared](auto transport, auto changed) { return MakeGrpcSession(std::move(transport), shared, std::move(changed)); });
}

}  // namespace peiling::gateway
