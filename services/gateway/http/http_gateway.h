// HTTP/JSON as a part of the gateway: its flags, and its life beside the gateway's gRPC server.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "services/common/server/server.h"
#include "services/gateway/door.h"
#include "services/gateway/http/http_api.h"
#include "services/gateway/http/http_server.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

struct HttpOptions {
  // host:port; empty: no HTTP.
  std::string listen;
  // Written "host:port\n" once it listens; empty: none.
  std::string port_file;
  HttpApiOptions api;
  ConnectionServerOptions connections;
  SessionLimits limits;
};

// Adds the flags above, with environment variables PEILING_HTTP_….
void AddFlags(CLI::App& app, HttpOptions& options);

// Thread-safe.
class HttpGateway {
 public:
  // The routes of all services behind the gateway, whose contracts must be in the process; TLS as the gateway's own listener has it. `door`
  // must outlive it. The errors of HttpApi and tls::ServerContexts; FAILED_PRECONDITION/TLS_REQUIRED for a plaintext listener that others
  // than this machine could reach.
  static absl::StatusOr<std::unique_ptr<HttpGateway>> Make(const HttpOptions& options, const server::Options& server, Door& door,
                                                           const RouteTable& routes);

  // Listens. The errors of ConnectionServer; PORT_FILE_UNWRITABLE.
  absl::Status Start();
  // The port it listens on; 0 when it does not.
  int port() const;
  // Takes no more requests, and gives answers under way a while. From its return on no call is begun.
  void Stop();

 private:
  HttpGateway(HttpOptions options, std::unique_ptr<HttpApi> api);

  const HttpOptions options_;
  const std::unique_ptr<HttpApi> api_;
  std::unique_ptr<ConnectionServer> server_;
};

}  // namespace peiling::gateway
