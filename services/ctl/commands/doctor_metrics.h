// What the metrics of all processes together say.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "services/ctl/commands/doctor_findings.h"

namespace peiling::ctl {

// Fetches the pages of all `addresses` (metrics_page.h) and looks at readiness, stores, feeds, versions, clocks and what was set aside.
void CheckMetrics(const std::vector<std::string>& addresses, std::chrono::milliseconds timeout, Findings& findings);

}  // namespace peiling::ctl
