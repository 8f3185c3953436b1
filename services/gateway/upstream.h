// What is the same in every call that is passed on to a backend, whatever protocol it came in by.
#pragma once

#include <chrono>

#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"
#include "services/common/tracing/trace_context.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

// Of a call of one request and one answer whose client names no deadline. Longer than any service waits by itself (dedup: 60 seconds).
// Not the service config's "timeout": gRPC 1.51 counts that by the wall clock, which somebody may set.
inline constexpr std::chrono::seconds kLongestCall(65);

// How a call to the backend ended, as its client is told: UNAVAILABLE/BACKEND_UNAVAILABLE (metadata: service) for what the connection to it
// said, whose addresses are nobody's business outside; the backend's own answers, which carry details or are no UNAVAILABLE, as they are.
grpc::Status Explain(const grpc::Status& status, const Backend& backend);

// Tells the backend which span its own is part of.
void AddTrace(const tracing::TraceContext& span, grpc::ClientContext& context);

}  // namespace peiling::gateway
