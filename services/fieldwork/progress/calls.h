// Whom to phone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "peiling/fieldwork/v1/progress.pb.h"
#include "services/fieldwork/progress/standing.h"
#include "services/fieldwork/progress/strata.h"

namespace peiling::fieldwork {

// A municipality begun and not touched for so many calendar days has stalled.
inline constexpr int kStalledDays = 7;

// Where a call stands in the order to phone: by the response of its stratum, then by stratum, reason and code. As text it is the key of
// pages, since whoever was phoned for may have left the list.
struct CallPlace {
  // Of the municipalities of the stratum, with a usable response; while analytics does not tell that, with one submitted.
  int32_t responded = 0;
  // At least 1.
  int32_t municipalities = 1;
  // In the lines.
  int32_t line = 0;
  v1::CallReason reason = v1::CALL_REASON_UNSPECIFIED;
  std::string code;

  bool operator<(const CallPlace& other) const;
  std::string ToText() const;
  // nullopt for what is none.
  static std::optional<CallPlace> Parse(const std::string& text);
};

// A call to be made, without whom to ask for.
struct PlannedCall {
  // In the frame.
  size_t municipality;
  CallPlace place;
};

// In the order to phone: strata (size classes and provinces) with the lowest response first, each municipality with the lowest of its own.
// `lines` are those of `strata`.
std::vector<PlannedCall> CallsOf(const std::vector<Standing>& standings, const std::vector<Stratum>& strata,
                                 const std::vector<v1::FieldworkLine>& lines, absl::Time now);

}  // namespace peiling::fieldwork
