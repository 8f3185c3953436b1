// A published report beside the records: every printed figure computed, every statement checked.
#pragma once

#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/survey/v1/published.pb.h"
#include "services/analytics/fieldwork.h"
#include "services/analytics/selection.h"
#include "services/analytics/wave_index.h"

namespace peiling::analytics {

// Whether some whole count over the base gives the percentage, rounded half up.
bool PercentIsPossible(int32_t percent, int64_t base);

// Fills source, figures, claims and their sums. `overlaps` holds the earlier waves the report names. What cannot be counted in this wave (a
// question or an earlier wave it does not have) has no verdict and is summed with what differs.
void ComparePublished(const WaveIndex& index, const Fieldwork& fieldwork, const survey::v1::PublishedReport& report,
                      const Overlaps& overlaps, v1::CompareWithPublishedResponse& response);

}  // namespace peiling::analytics
