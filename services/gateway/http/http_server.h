// Listens for HTTP/1.1 connections, over TLS or not, and runs them on a few threads.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "services/gateway/connections/connection_server.h"
#include "services/gateway/http/http_session.h"

namespace peiling::gateway {

// `handler` is called on the server's threads, not any more once it has stopped, and must not block. A handshake gets as much time as the
// head of a request.
absl::StatusOr<std::unique_ptr<ConnectionServer>> StartHttpServer(ConnectionServerOptions options, const SessionLimits& limits,
                                                                  const HttpHandler& handler);

}  // namespace peiling::gateway
