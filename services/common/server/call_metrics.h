// Rate, errors and duration of every call a server answers, as metrics; calls that went wrong inside also as log lines.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/support/server_interceptor.h"

namespace peiling::server {

// Metrics (names as other gRPC servers have them): grpc_server_handled_total, grpc_server_handling_seconds, grpc_server_in_flight, with
// labels server
// (`server_name`), grpc_service, grpc_method, grpc_type and for the first grpc_code. A method no contract knows counts as "unknown", so
// that callers cannot make series. Health checks are not counted.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallMetrics(const std::string& server_name);

}  // namespace peiling::server
