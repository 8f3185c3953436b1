#include "services/gateway/upstream.h"

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {

grpc::Status Explain(const grpc::Status& status, const Backend& backend) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !status.error_details().empty()) return status;
  return status::ToGrpc(status::Error(absl::StatusCode::kUnavailable, "BACKEND_UNAVAILABLE",
                                      absl::StrCat(backend.title, " cannot be reached; try again later"), {{"service", backend.service}}));
}

void AddTrace(const tracing::TraceContext& span, grpc::ClientContext& context) {
  context.AddMetadata(tracing::kTraceparent, tracing::FormatTraceparent(span));
  if (!span.state.empty()) context.AddMetadata(tracing::kTracestate, span.state);
}

}  // namespace peiling::gateway
