// The metrics of a process, as its Prometheus endpoint shows them.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace peiling::ctl {

struct Sample {
  std::map<std::string, std::string> labels;
  double value = 0;
};

// By name.
using MetricsPage = std::map<std::string, std::vector<Sample>>;

// Of "host:port", "http://host:port" or "http://host:port/metrics". INVALID_ARGUMENT/USAGE for another address,
// UNAVAILABLE/METRICS_UNAVAILABLE.
absl::StatusOr<MetricsPage> FetchMetrics(const std::string& address, std::chrono::milliseconds timeout);

// Reads the text format (https://prometheus.io/docs/instrumenting/exposition_formats); what is no sample is left out.
MetricsPage ParseMetrics(const std::string& text);

}  // namespace peiling::ctl
