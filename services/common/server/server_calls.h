// What is known of every call a server answers: metrics (call_metrics.h, with the label server), a span, and a line in the log when it
// failed. Health checks are left out.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/support/server_interceptor.h"

namespace peiling::server {

// The span is part of the caller's when the call says so (W3C Trace Context), and current while the handler runs; of a callback handler,
// until it returns its reactor.
// Lines have method, code, reason, seconds and peer (the address of the connection: that of another service, or of the proxy before the
// gateway): errors for faults of the server, warnings for what it could not do now, else info; all other calls are written at level debug.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ObserveServerCalls(const std::string& server_name);

}  // namespace peiling::server
