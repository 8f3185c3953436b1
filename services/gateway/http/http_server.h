// Listens for HTTP/1.1 connections, over TLS or not, and runs them on a few threads.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/tls/server_contexts.h"
#include "services/gateway/http/http_session.h"

namespace peiling::gateway {

struct HttpServerOptions {
  // host:port; port 0 takes a free one.
  std::string listen;
  // Null: plaintext.
  std::shared_ptr<tls::ServerContexts> tls;
  int threads = 2;
  // At once. Of those that wait for a request the one that has waited longest makes room for a new one; when none waits, the new one is
  // turned away. No more than three quarters of the files the process may have open.
  int max_connections = 8192;
  SessionLimits limits;
};

// Thread-safe. Metrics: peiling_gateway_http_connections, peiling_gateway_http_connections_turned_away_total{reason}.
class HttpServer {
 public:
  // `handler` is called on the server's threads and must not block. The errors of server::Listen.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options, const HttpHandler& handler);
  virtual ~HttpServer() = default;  // Stops.

  virtual int port() const = 0;
  // Takes no more connections and no more requests, and breaks off streams; answers under way get `grace`. When it returns the handler
  // is not called any more. May be called twice.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace peiling::gateway
