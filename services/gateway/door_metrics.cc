#include "services/gateway/door_metrics.h"

#include "services/common/identity/identity.h"
#include "services/common/server/call_metrics.h"
#include "services/common/server/metrics.h"

namespace peiling::gateway {
namespace {

prometheus::Family<prometheus::Counter>& Calls() {
  return prometheus::BuildCounter()
      .Name("peiling_gateway_calls_total")
      .Help("Calls that ended, by protocol, status code and a role that let the caller in.")
      .Register(server::Metrics());
}

prometheus::Gauge& InFlight(const prometheus::Labels& labels) {
  return prometheus::BuildGauge()
      .Name("peiling_gateway_calls_in_flight")
      .Help("Calls at the door or under way.")
      .Register(server::Metrics())
      .Add(labels);
}

prometheus::Histogram& Seconds(const prometheus::Labels& labels) {
  return prometheus::BuildHistogram()
      .Name("peiling_gateway_call_seconds")
      .Help("How long calls took; of streams, how long they were open.")
      .Register(server::Metrics())
      .Add(labels, prometheus::Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10});
}

}  // namespace

DoorMetrics::DoorMetrics(const prometheus::Labels& labels) : labels_(labels), in_flight_(InFlight(labels)), seconds_(Seconds(labels)) {}

void DoorMetrics::End(int code, access::v1::Role role, double seconds) {
  in_flight_.Decrement();
  seconds_.Observe(seconds);
  CounterOf(code, role).Increment();
}

prometheus::Counter& DoorMetrics::CounterOf(int code, access::v1::Role role) {
  auto& of_code = counters_[code >= 0 && code < static_cast<int>(counters_.size()) ? code : 2];
  auto& known = of_code[access::v1::Role_IsValid(role) ? role : 0];
  if (auto* const counter = known.load(std::memory_order_acquire)) return *counter;
  prometheus::Labels labels = labels_;
  labels["code"] = server::CodeName(code);
  labels["role"] = role == access::v1::ROLE_UNSPECIFIED ? "none" : identity::RoleName(role);
  auto& counter = Calls().Add(labels);
  known.store(&counter, std::memory_order_release);
  return counter;
}

DoorMetrics& DoorMetricsTable::Of(const std::string& protocol, const google::protobuf::MethodDescriptor* method) {
  const std::lock_guard lock(mutex_);
  auto& metrics = known_[{method, protocol}];
  if (metrics == nullptr) {
    metrics = std::make_unique<DoorMetrics>(prometheus::Labels{{"protocol", protocol},
                                                               {"service", method == nullptr ? "unknown" : method->service()->full_name()},
                                                               {"method", method == nullptr ? "unknown" : method->name()}});
  }
  return *metrics;
}

}  // namespace peiling::gateway
