// What is known of every call a server answers: metrics (call_metrics.h, with the label server), a span, and a line in the log when it
// failed. Health checks are left out.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "grpcpp/support/server_interceptor.h"
#include "grpcpp/support/status.h"
#include "services/common/server/call_metrics.h"
#include "services/common/tracing/span.h"

namespace peiling::server {

// One call, from its arrival until it is destroyed. Not thread-safe.
//
// The span is part of the caller's when the call says so (W3C Trace Context). Lines have method, code, reason, seconds and peer (the
// address of the connection: that of another service, or of the proxy before the gateway): errors for faults of the server, warnings for
// what it could not do now, else info; all other calls are written at level debug.
class ObservedCall {
 public:
  explicit ObservedCall(MethodMetrics& metrics);
  ~ObservedCall();

  void StartSpan(std::string_view traceparent, const std::string& tracestate);
  const tracing::Span& span() const { return span_; }
  // How it ends. What never hears of this was cancelled: its client left.
  void End(const grpc::Status& status, std::string peer, std::string_view request_id);

 private:
  void Log() const;

  MethodMetrics& metrics_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  grpc::Status status_ = grpc::Status::CANCELLED;
  std::string peer_;
  std::string request_id_;
  tracing::Span span_;
};

// Of a server that takes calls by its own means. Thread-safe.
class CallObserver {
 public:
  explicit CallObserver(const std::string& server_name) : methods_("server", {{"server", server_name}}) {}

  // Of a call of "/package.Service/Method"; null for what is left out.
  std::unique_ptr<ObservedCall> Begin(const std::string& path, std::string_view traceparent, const std::string& tracestate);

 private:
  MethodTable methods_;
};

// Of gRPC's own server. The span is current while the handler runs; of a callback handler, until it returns its reactor.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ObserveServerCalls(const std::string& server_name);

}  // namespace peiling::server
