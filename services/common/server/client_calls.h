// What is known of every call one service makes to another: metrics (call_metrics.h) and a span. Health checks are left out.
#pragma once

#include <memory>
#include <vector>

#include "grpcpp/support/client_interceptor.h"

namespace peiling::server {

// For a channel. The span is part of the one whose context stands in the call's metadata (traceparent), else of the one current on the
// thread that makes the call, else the first of a trace. The service called gets the span's own context.
std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> ObserveClientCalls();

}  // namespace peiling::server
