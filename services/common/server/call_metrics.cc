#include "services/common/server/call_metrics.h"

#include <string_view>

#include "google/protobuf/descriptor.h"
#include "services/common/server/metrics.h"

namespace peiling::server {
namespace {

// "/package.Service/Method" of a contract in this process.
const google::protobuf::MethodDescriptor* FindMethod(std::string_view path) {
  std::string name(path.substr(path.find_first_not_of('/') == std::string_view::npos ? path.size() : 1));
  if (const size_t slash = name.find('/'); slash != std::string::npos) name[slash] = '.';
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
}

prometheus::Family<prometheus::Counter>& Handled(const std::string& role) {
  return prometheus::BuildCounter().Name("grpc_" + role + "_handled_total").Help("Calls that ended, by status code.").Register(Metrics());
}

prometheus::Counter& Started(const std::string& role, const prometheus::Labels& labels) {
  return prometheus::BuildCounter().Name("grpc_" + role + "_started_total").Help("Calls that began.").Register(Metrics()).Add(labels);
}

prometheus::Gauge& InFlight(const std::string& role, const prometheus::Labels& labels) {
  return prometheus::BuildGauge().Name("grpc_" + role + "_in_flight").Help("Calls under way.").Register(Metrics()).Add(labels);
}

prometheus::Histogram& Seconds(const std::string& role, const prometheus::Labels& labels) {
  return prometheus::BuildHistogram()
      .Name("grpc_" + role + "_handling_seconds")
      .Help("How long calls took; of streams, how long they were open.")
      .Register(Metrics())
      .Add(labels, prometheus::Histogram::BucketBoundaries{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10});
}

// As the contract has it: whoever passes calls on handles all of them as streams.
const char* TypeName(const google::protobuf::MethodDescriptor& method) {
  if (method.client_streaming()) return method.server_streaming() ? "bidi_stream" : "client_stream";
  return method.server_streaming() ? "server_stream" : "unary";
}

}  // namespace

const char* CodeName(int code) {
  static constexpr std::array kNames = {"OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
                                        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
                                        "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
                                        "DATA_LOSS", "UNAUTHENTICATED"};
  return code >= 0 && code < static_cast<int>(kNames.size()) ? kNames[code] : "UNKNOWN";
}

bool IsUnobserved(const char* path) { return std::string_view(path).starts_with("/grpc.health.v1.Health/"); }

MethodMetrics::MethodMetrics(const std::string& role, prometheus::Labels labels)
    : labels_(std::move(labels)),
      handled_(Handled(role)),
      started_(Started(role, labels_)),
      in_flight_(InFlight(role, labels_)),
      seconds_(Seconds(role, labels_)) {}

void MethodMetrics::Begin() {
  started_.Increment();
  in_flight_.Increment();
}

void MethodMetrics::End(int code, double seconds) {
  in_flight_.Decrement();
  seconds_.Observe(seconds);
  CounterOf(code).Increment();
}

prometheus::Counter& MethodMetrics::CounterOf(int code) {
  auto& known = by_code_[code >= 0 && code < static_cast<int>(by_code_.size()) ? code : 2];
  if (auto* counter = known.load(std::memory_order_acquire)) return *counter;
  prometheus::Labels labels = labels_;
  labels["grpc_code"] = CodeName(code);
  auto& counter = handled_.Add(labels);
  known.store(&counter, std::memory_order_release);
  return counter;
}

MethodMetrics& MethodTable::Of(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (const auto known = by_path_.find(path); known != by_path_.end()) return *known->second;
  const auto* method = FindMethod(path);
  auto& metrics = by_path_[method == nullptr ? "" : path];
  if (metrics == nullptr) {
    prometheus::Labels labels = labels_;
    labels["grpc_service"] = method == nullptr ? "unknown" : method->service()->full_name();
    labels["grpc_method"] = method == nullptr ? "unknown" : method->name();
    labels["grpc_type"] = method == nullptr ? "unknown" : TypeName(*method);
    metrics = std::make_unique<MethodMetrics>(role_, std::move(labels));
  }
  return *metrics;
}

}  // namespace peiling::server
