// Rate, errors and duration of calls, as metrics named as other gRPC programs name them: grpc_<role>_started_total,
// grpc_<role>_handled_total, grpc_<role>_handling_seconds and grpc_<role>_in_flight, where the role is "server" or "client", with labels
// grpc_service, grpc_method, grpc_type and of the second grpc_code.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"

namespace peiling::server {

// "OK", "NOT_FOUND" …
const char* CodeName(int code);
// Whether nobody wants to see the call of "/package.Service/Method": health checks.
bool IsUnobserved(const char* path);

// The metrics of one method. Thread-safe.
class MethodMetrics {
 public:
  MethodMetrics(const std::string& role, prometheus::Labels labels);

  void Begin();
  // With the call's status code; seconds since Begin.
  void End(int code, double seconds);

  // "unknown" when no contract in this process knows it.
  const std::string& service() const { return labels_.at("grpc_service"); }
  const std::string& method() const { return labels_.at("grpc_method"); }
  // "package.Service/Method".
  std::string full_name() const { return service() + "/" + method(); }

 private:
  prometheus::Counter& CounterOf(int code);

  const prometheus::Labels labels_;
  prometheus::Family<prometheus::Counter>& handled_;
  prometheus::Counter& started_;
  prometheus::Gauge& in_flight_;
  prometheus::Histogram& seconds_;
  // Looked up by their labels only the first time.
  std::array<std::atomic<prometheus::Counter*>, 17> by_code_{};
};

// The methods that calls were made of. A method no contract knows counts as "unknown", so that callers cannot make series. Thread-safe.
class MethodTable {
 public:
  // `labels` are those of all methods.
  MethodTable(std::string role, prometheus::Labels labels) : role_(std::move(role)), labels_(std::move(labels)) {}

  // Of "/package.Service/Method".
  MethodMetrics& Of(const std::string& path);

 private:
  const std::string role_;
  const prometheus::Labels labels_;
  std::mutex mutex_;
  // Methods without a contract share the one at "".
  std::unordered_map<std::string, std::unique_ptr<MethodMetrics>> by_path_;
};

}  // namespace peiling::server
