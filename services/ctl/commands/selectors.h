// What --by and --filter say, read.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "peiling/analytics/v1/analytics.pb.h"

namespace peiling::ctl {

// "size-class", "province", "group:G40", "took-part-in:2019", "question:Q5" ('=' for ':' too). Usage error otherwise.
absl::StatusOr<analytics::v1::Breakdown> ParseBreakdown(const std::string& text);

// "size-class=under-50k", "province=Utrecht", "group=G40", "took-part-in=2019" (and these with "!=" for all others), "Q5=ja",
// "Q22.po=structuur", "complete", "partial". Usage error otherwise.
absl::StatusOr<analytics::v1::Filter> ParseFilter(const std::string& text);

}  // namespace peiling::ctl
