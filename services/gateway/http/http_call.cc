#include "services/gateway/http/http_call.h"

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {

std::string MethodPath(const HttpRoute& route) {
  return absl::StrCat("/", route.method->service()->full_name(), "/", route.method->name());
}

Arrival ArrivalOf(const HttpCall& call) {
  const HttpRequest& request = call.exchange->request();
  return {.protocol = "http",
          .method = MethodPath(call.route()),
          .credentials = {.authorization = request.Header("authorization"), .certificate = request.certificate},
          .peer = request.peer,
          .request_id = call.request_id,
          .traceparent = request.Header(tracing::kTraceparent),
          .forwarded_for = request.Header("x-forwarded-for"),
          .forwarded_certificate = request.Header("x-client-certificate")};
}

void Prepare(const HttpCall& call, const Visit& visit, grpc::ClientContext& context) {
  visit.AddTo(context);
  std::optional<tracing::TraceContext> trace;
  if (const auto* span = call.span.context()) {
    trace = *span;
  } else {
    const HttpRequest& request = call.exchange->request();
    trace = tracing::ParseTraceContext(request.Header(tracing::kTraceparent), request.Header(tracing::kTracestate));
  }
  if (!trace) return;
  context.AddMetadata(tracing::kTraceparent, tracing::FormatTraceparent(*trace));
  if (!trace->state.empty()) context.AddMetadata(tracing::kTracestate, trace->state);
}

absl::Status ErrorOf(const grpc::Status& status, const Backend& backend) {
  // A service's own answers carry details or are no UNAVAILABLE; what is left was said by the connection to it.
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && status.error_details().empty()) {
    return status::Error(absl::StatusCode::kUnavailable, "BACKEND_UNAVAILABLE",
                         absl::StrCat(backend.title, " cannot be reached; try again later"), {{"service", backend.service}});
  }
  return status::FromGrpc(status::ToGrpc(status::FromGrpc(status)));
}

}  // namespace peiling::gateway
