#include "services/common/server/client_calls.h"

#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "services/common/server/call_metrics.h"
#include "services/common/tracing/span.h"

namespace peiling::server {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using Clock = std::chrono::steady_clock;
using Metadata = std::multimap<std::string, std::string>;

std::string Taken(Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return "";
  std::string value = std::move(found->second);
  metadata.erase(key);
  return value;
}

// Lives as long as the call's context; the call itself may end before.
class ClientCall final : public Interceptor {
 public:
  explicit ClientCall(MethodMetrics& metrics) : metrics_(metrics) { metrics_.Begin(); }
  ~ClientCall() override { End(grpc::CANCELLED); }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (tracing::Enabled() && methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      StartSpan(*methods->GetSendInitialMetadata());
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) End(methods->GetRecvStatus()->error_code());
    methods->Proceed();
  }

 private:
  void StartSpan(Metadata& metadata) {
    const std::string state = Taken(metadata, tracing::kTracestate);
    const auto given = tracing::ParseTraceContext(Taken(metadata, tracing::kTraceparent), state);
    span_ = tracing::Span::Start(metrics_.full_name(), tracing::Kind::kClient, given ? &*given : tracing::Current());
    if (span_.context() == nullptr) return;
    span_.Set("rpc.system", "grpc");
    span_.Set("rpc.service", metrics_.service());
    span_.Set("rpc.method", metrics_.method());
    metadata.emplace(tracing::kTraceparent, tracing::FormatTraceparent(*span_.context()));
    if (!span_.context()->state.empty()) metadata.emplace(tracing::kTracestate, span_.context()->state);
  }

  void End(int code) {
    if (std::exchange(ended_, true)) return;
    const std::chrono::duration<double> taken = Clock::now() - begin_;
    metrics_.End(code, taken.count());
    span_.Set("rpc.grpc.status_code", code);
    if (code != grpc::OK) span_.Fail();
    span_.End();
  }

  MethodMetrics& metrics_;
  const Clock::time_point begin_ = Clock::now();
  bool ended_ = false;
  tracing::Span span_;
};

class ClientCalls final : public ClientInterceptorFactoryInterface {
 public:
  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    // Of all channels, and never destroyed: calls may end at any time.
    static auto* methods = new MethodTable("client", {});
    if (IsUnobserved(info->method())) return nullptr;
    return new ClientCall(methods->Of(info->method()));
  }
};

}  // namespace

std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> ObserveClientCalls() {
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<ClientCalls>());
  return factories;
}

}  // namespace peiling::server
