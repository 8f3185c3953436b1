// The process's metrics, as its Prometheus endpoint shows them.
#pragma once

#include <memory>

#include "prometheus/registry.h"

namespace peiling::server {

// One registry for the process; for gauges and counters of the domain:
// prometheus::BuildGauge().Name("peiling_…").Help("…").Register(Metrics()).Add({…}). Metrics stay until the process ends. Thread-safe.
// Labels hold no personal data and have few values.
prometheus::Registry& Metrics();

// The same registry, for an endpoint to hold on to.
const std::shared_ptr<prometheus::Registry>& SharedMetrics();

}  // namespace peiling::server
