// The process's use of the machine, under the names that Prometheus's own client libraries use.
#pragma once

#include <memory>

#include "prometheus/collectable.h"

namespace peiling::server {

// process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes, process_open_fds, process_max_fds and
// process_start_time_seconds, read from /proc when they are asked for; what cannot be read is left out. Also peiling_clock_seconds, so that
// clocks that are apart are noticed. One for the process.
std::shared_ptr<prometheus::Collectable> ProcessMetrics();

}  // namespace peiling::server
