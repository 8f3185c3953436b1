// Whether requests say what they must, before anything is looked up. INVALID_ARGUMENT/INVALID_REQUEST with every wrong field.
#pragma once

#include "absl/status/status.h"
#include "peiling/analytics/v1/analytics.pb.h"

namespace peiling::analytics {

absl::Status Validate(const v1::TabulateRequest& request);
absl::Status Validate(const v1::GetProgressRequest& request);
absl::Status Validate(const v1::WatchProgressRequest& request);
absl::Status Validate(const v1::GetTrendRequest& request);
absl::Status Validate(const v1::ListTrendsRequest& request);
absl::Status Validate(const v1::CompareWithPublishedRequest& request);

}  // namespace peiling::analytics
