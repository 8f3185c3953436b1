// Tables: counts of questions, in columns, among some records.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "services/analytics/selection.h"
#include "services/analytics/wave_index.h"

namespace peiling::analytics {

// Adds the tables a request asks for to `response`. `overlaps` holds the earlier waves the request names. Personal questions have no table.
// NOT_FOUND as in analytics.proto; INVALID_ARGUMENT/INVALID_REQUEST for a breakdown by a question without options, or a personal question;
// CANCELLED when `cancelled`, asked between questions, says so.
absl::Status Tabulate(const WaveIndex& index, const v1::TabulateRequest& request, const Overlaps& overlaps,
                      const std::function<bool()>& cancelled, v1::TabulateResponse& response);

}  // namespace peiling::analytics
