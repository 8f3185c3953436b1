#include "services/gateway/http/http_call.h"

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/gateway/upstream.h"

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
  if (trace) AddTrace(*trace, context);
}

absl::Status ErrorOf(const grpc::Status& status, const Backend& backend) {
  // There and back again gives a reason to what has none.
  return status::FromGrpc(status::ToGrpc(status::FromGrpc(Explain(status, backend))));
}

}  // namespace peiling::gateway
