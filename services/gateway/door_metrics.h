// Rate, errors and duration of what comes to the door: peiling_gateway_calls_total{protocol,service,method,code,role},
// peiling_gateway_call_seconds and peiling_gateway_calls_in_flight, both {protocol,service,method}.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "google/protobuf/descriptor.h"
#include "peiling/access/v1/options.pb.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"

namespace peiling::gateway {

// Of one method by one protocol. Thread-safe.
class DoorMetrics {
 public:
  explicit DoorMetrics(const prometheus::Labels& labels);

  void Begin() { in_flight_.Increment(); }
  // `role`: one that let the caller in; ROLE_UNSPECIFIED when none did.
  void End(int code, access::v1::Role role, double seconds);

 private:
  prometheus::Counter& CounterOf(int code, access::v1::Role role);

  const prometheus::Labels labels_;
  prometheus::Gauge& in_flight_;
  prometheus::Histogram& seconds_;
  // Looked up by their labels only the first time.
  std::array<std::array<std::atomic<prometheus::Counter*>, access::v1::Role_ARRAYSIZE>, 17> counters_{};
};

// Made when they are first needed; there are as many as protocols and methods of the contracts. Thread-safe.
class DoorMetricsTable {
 public:
  // `method` null: what no contract has, or nobody may call: "unknown", so that callers cannot make series.
  DoorMetrics& Of(const std::string& protocol, const google::protobuf::MethodDescriptor* method);

 private:
  std::mutex mutex_;
  std::map<std::pair<const google::protobuf::MethodDescriptor*, std::string>, std::unique_ptr<DoorMetrics>> known_;
};

}  // namespace peiling::gateway
