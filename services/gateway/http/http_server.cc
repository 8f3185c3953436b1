#include "services/gateway/http/http_server.h"

#include <utility>

namespace peiling::gateway {

absl::StatusOr<std::unique_ptr<ConnectionServer>> StartHttpServer(ConnectionServerOptions options, const SessionLimits& limits,
                                                                  const HttpHandler& handler) {
  options.handshake_time = limits.head_time;
  options.protocol = "http";
  return ConnectionServer::Start(options, [limits, handler](auto transport, auto changed) {
    return MakeHttpSession(std::move(transport), limits, handler, std::move(changed));
  });
}

}  // namespace peiling::gateway
