#include "services/gateway/http/http_gateway.h"

#include <chrono>
#include <utility>

#include "google/protobuf/descriptor.h"
#include "services/common/log/log.h"
#include "services/common/server/credentials.h"
#include "services/gateway/openapi/openapi_document.h"

namespace peiling::gateway {
namespace {

// Calls that take longer are told that the client is gone; the gateway's gRPC server has still its own time for others.
constexpr std::chrono::seconds kGrace(5);

}  // namespace

void AddFlags(CLI::App& app, HttpOptions& options) {
  app.add_option("--http-listen", options.listen, "host:port for HTTP/JSON; empty: none")
      ->envname("PEILING_HTTP_LISTEN")
      ->capture_default_str();
  app.add_option("--http-port-file", options.port_file, "File to write the HTTP address to once it listens")
      ->envname("PEILING_HTTP_PORT_FILE");
  app.add_option("--cors-origins", options.api.cors_origins, "Origins whose pages may use the HTTP API in a browser, separated by commas")
      ->envname("PEILING_HTTP_CORS_ORIGINS")
      ->delimiter(',');
  app.add_option("--http-max-connections", options.connections.max_connections,
                 "HTTP connections at once; one more ends the one idle longest")
      ->envname("PEILING_HTTP_MAX_CONNECTIONS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--http-threads", options.connections.threads, "Threads for HTTP connections")
      ->envname("PEILING_HTTP_THREADS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<HttpGateway>> HttpGateway::Make(const HttpOptions& options, const server::Options& server, Door& door,
                                                               const RouteTable& routes) {
  HttpOptions made = options;
  if (!made.listen.empty()) {
    if (absl::Status safe = server::CheckExposure(made.listen, server, true); !safe.ok()) return safe;
    if (!server.tls.certificate.empty()) {
      auto contexts = tls::ServerContexts::Open(server.tls, tls::Protocol::kHttp1);
      if (!contexts.ok()) return contexts.status();
      made.connections.tls = *std::move(contexts);
    }
  }
  made.connections.listen = made.listen;
  made.api.loopback_hosts_only = server.insecure;
  std::vector<const google::protobuf::ServiceDescriptor*> services;
  for (const Backend& backend : routes.backends()) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(backend.service);
    if (service != nullptr) services.push_back(service);
  }
  auto api = HttpApi::Make(door, services, OpenApiDocument(), made.api);
  if (!api.ok()) return api.status();
  return std::unique_ptr<HttpGateway>(new HttpGateway(std::move(made), *std::move(api)));
}

HttpGateway::HttpGateway(HttpOptions options, std::unique_ptr<HttpApi> api) : options_(std::move(options)), api_(std::move(api)) {}

absl::Status HttpGateway::Start() {
  if (options_.listen.empty()) return absl::OkStatus();
  auto server =
      StartHttpServer(options_.connections, options_.limits, [this](const std::shared_ptr<Exchange>& exchange) { api_->Handle(exchange); });
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  log::Info("listens for HTTP", {{"address", options_.listen}, {"port", std::to_string(port())}});
  return server::WritePortFile({.listen = options_.listen, .port_file = options_.port_file}, port());
}

int HttpGateway::port() const { return server_ == nullptr ? 0 : server_->port(); }

void HttpGateway::Stop() {
  if (server_ != nullptr) server_->Stop(kGrace);
}

}  // namespace peiling::gateway
