// How the fieldwork stands, laid out; shared by `progress` and `watch progress`.
#pragma once

#include <string>

#include "peiling/analytics/v1/analytics.pb.h"
#include "services/ctl/output/table_printer.h"

namespace peiling::ctl {

std::string ProgressText(const analytics::v1::Progress& progress, const Terminal& terminal);
// One line: "started 167, usable 90 of 344 (26%), complete 79".
std::string ProgressLineText(const analytics::v1::Progress& progress);

}  // namespace peiling::ctl
