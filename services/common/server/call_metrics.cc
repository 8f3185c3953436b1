#include "services/common/server/call_metrics.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "services/common/log/log.h"
#include "services/common/server/metrics.h"

namespace peiling::server {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;
using Clock = std::chrono::steady_clock;
using Labels = prometheus::Labels;

constexpr std::string_view kHealthPrefix = "/grpc.health.v1.Health/";

const char* CodeName(int code) {
  static constexpr std::array kNames = {"OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
                                        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
                                        "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
                                        "DATA_LOSS", "UNAUTHENTICATED"};
  return code >= 0 && code < static_cast<int>(kNames.size()) ? kNames[code] : "UNKNOWN";
}

const char* TypeName(ServerRpcInfo::Type type) {
  switch (type) {
    case ServerRpcInfo::Type::UNARY:
      return "unary";
    case ServerRpcInfo::Type::CLIENT_STREAMING:
      return "client_stream";
    case ServerRpcInfo::Type::SERVER_STREAMING:
      return "server_stream";
    case ServerRpcInfo::Type::BIDI_STREAMING:
      return "bidi_stream";
  }
  return "unary";
}

// "/package.Service/Method" of a contract in this process.
const google::protobuf::MethodDescriptor* FindMethod(std::string_view path) {
  std::string name(path.substr(path.find_first_not_of('/') == std::string_view::npos ? path.size() : 1));
  if (const size_t slash = name.find('/'); slash != std::string::npos) name[slash] = '.';
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
}

prometheus::Family<prometheus::Counter>& Handled() {
  static auto& family =
      prometheus::BuildCounter().Name("grpc_server_handled_total").Help("Calls that ended, by status code.").Register(Metrics());
  return family;
}

prometheus::Family<prometheus::Histogram>& Seconds() {
  static auto& family = prometheus::BuildHistogram()
                            .Name("grpc_server_handling_seconds")
                            .Help("How long calls took; of streams, how long they were open.")
                            .Register(Metrics());
  return family;
}

prometheus::Family<prometheus::Gauge>& InFlight() {
  static auto& family = prometheus::BuildGauge().Name("grpc_server_in_flight").Help("Calls under way.").Register(Metrics());
  return family;
}

// The metrics of one method on one server. Thread-safe.
class MethodMetrics {
 public:
  explicit MethodMetrics(Labels labels)
      : labels_(std::move(labels)),
        in_flight_(InFlight().Add(labels_)),
        seconds_(Seconds().Add(labels_, prometheus::Histogram::BucketBoundaries{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                                                0.5, 1, 2.5, 5, 10})) {}

  void Begin() { in_flight_.Increment(); }
  void End(int code, double seconds) {
    in_flight_.Decrement();
    seconds_.Observe(seconds);
    CounterOf(code).Increment();
  }

 private:
  // Looked up by its labels only the first time.
  prometheus::Counter& CounterOf(int code) {
    auto& known = by_code_[code >= 0 && code < static_cast<int>(by_code_.size()) ? code : 2];
    if (auto* counter = known.load(std::memory_order_acquire)) return *counter;
    Labels labels = labels_;
    labels["grpc_code"] = CodeName(code);
    auto& counter = Handled().Add(labels);
    known.store(&counter, std::memory_order_release);
    return counter;
  }

  const Labels labels_;
  prometheus::Gauge& in_flight_;
  prometheus::Histogram& seconds_;
  std::array<std::atomic<prometheus::Counter*>, 17> by_code_{};
};

// Lives as long as its call.
class CallMeter final : public Interceptor {
 public:
  CallMeter(MethodMetrics& metrics, const char* method) : metrics_(metrics), method_(method) { metrics_.Begin(); }

  ~CallMeter() override {
    const std::chrono::duration<double> taken = Clock::now() - begin_;
    metrics_.End(code_, taken.count());
    if (code_ == grpc::INTERNAL || code_ == grpc::UNKNOWN || code_ == grpc::DATA_LOSS) {
      log::Error("call failed", {{"method", method_}, {"code", CodeName(code_)}});
    } else {
      log::Debug("call", {{"method", method_}, {"code", CodeName(code_)}, {"seconds", absl::StrCat(taken.count())}});
    }
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) code_ = methods->GetSendStatus().error_code();
    methods->Proceed();
  }

 private:
  MethodMetrics& metrics_;
  const std::string method_;
  const Clock::time_point begin_ = Clock::now();
  // What a call ends with that never sends a status: its client left.
  int code_ = grpc::CANCELLED;
};

class CallMetrics final : public ServerInterceptorFactoryInterface {
 public:
  explicit CallMetrics(std::string server_name) : server_name_(std::move(server_name)) {}

  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (std::string_view(info->method()).starts_with(kHealthPrefix)) return nullptr;
    return new CallMeter(Of(*info), info->method());
  }

 private:
  MethodMetrics& Of(const ServerRpcInfo& info) {
    const std::lock_guard lock(mutex_);
    const std::string path = info.method();
    if (const auto known = by_path_.find(path); known != by_path_.end()) return *known->second;
    const auto* method = FindMethod(path);
    auto& metrics = by_path_[method == nullptr ? "" : path];
    if (metrics == nullptr) {
      metrics = std::make_unique<MethodMetrics>(Labels{{"server", server_name_},
                                                       {"grpc_service", method == nullptr ? "unknown" : method->service()->full_name()},
                                                       {"grpc_method", method == nullptr ? "unknown" : method->name()},
                                                       {"grpc_type", TypeName(info.type())}});
    }
    return *metrics;
  }

  const std::string server_name_;
  std::mutex mutex_;
  // Methods without a contract share the one at "".
  std::unordered_map<std::string, std::unique_ptr<MethodMetrics>> by_path_;
};

}  // namespace

std::unique_ptr<ServerInterceptorFactoryInterface> MakeCallMetrics(const std::string& server_name) {
  return std::make_unique<CallMetrics>(server_name);
}

}  // namespace peiling::server
