// Whom to phone.
#pragma once

#include <vector>

#include "absl/time/time.h"
#include "peiling/fieldwork/v1/progress.pb.h"
#include "services/fieldwork/progress/standing.h"
#include "services/fieldwork/progress/strata.h"

namespace peiling::fieldwork {

// A municipality begun and not touched for so many calendar days has stalled.
inline constexpr int kStalledDays = 7;

// A call to be made, without whom to ask for.
struct PlannedCall {
  // In the frame.
  size_t municipality;
  v1::CallReason reason;
  // In the lines.
  size_t line;
};

// In the order to phone: strata (size classes and provinces) furthest behind first, each municipality with the one of its own that is
// furthest. How far one is behind is what its target, without one the total's, without that 100 percent, is above its response; while
// analytics does not tell that, above what was submitted. Within a stratum by reason, then by code, so that the same facts give the same
// order. `lines` are those of `strata`.
std::vector<PlannedCall> CallsOf(const std::vector<Standing>& standings, const std::vector<Stratum>& strata,
                                 const std::vector<v1::FieldworkLine>& lines, absl::Time now);

}  // namespace peiling::fieldwork
