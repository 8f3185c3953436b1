#include "services/fieldwork/progress/calls.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <tuple>

#include "services/common/calendar/amsterdam.h"

namespace peiling::fieldwork {
namespace {

constexpr size_t kNoLine = std::numeric_limits<size_t>::max();

v1::CallReason ReasonFor(const Standing& standing, absl::Time now) {
  if (standing.submitted) return v1::CALL_REASON_UNSPECIFIED;
  if (standing.opened || standing.started) {
    return calendar::AddDays(standing.last_touched, kStalledDays) <= now ? v1::CALL_REASON_STALLED : v1::CALL_REASON_UNSPECIFIED;
  }
  if (standing.nobody_to_write_to) return standing.shown.bounces() > 0 ? v1::CALL_REASON_BOUNCED : v1::CALL_REASON_NO_CONTACT;
  return standing.shown.reminders() > 0 ? v1::CALL_REASON_SILENT : v1::CALL_REASON_UNSPECIFIED;
}

// How far a line is behind, in hundredths of its municipalities: a fraction, so that equal ones are equal.
struct Behind {
  int64_t hundredths = 0;
  int64_t municipalities = 1;
  bool operator==(const Behind& other) const { return hundredths * other.municipalities == other.hundredths * municipalities; }
  // The one that is further comes first.
  bool operator<(const Behind& other) const { return hundredths * other.municipalities > other.hundredths * municipalities; }
};

Behind BehindOf(const v1::FieldworkLine& line, const v1::FieldworkLine& total) {
  const int64_t target = line.has_target_percent() ? line.target_percent() : total.has_target_percent() ? total.target_percent() : 100;
  const int64_t there = line.has_usable() ? line.usable() : line.submitted();
  return {target * line.municipalities() - 100 * there, std::max<int64_t>(1, line.municipalities())};
}

// By municipality, the line of its own strata that is furthest behind.
std::vector<size_t> FurthestLines(size_t municipalities, const std::vector<Stratum>& strata, const std::vector<Behind>& behind) {
  std::vector<size_t> furthest(municipalities, kNoLine);
  for (size_t line = 0; line < strata.size(); ++line) {
    if (strata[line].kind != "size_class" && strata[line].kind != "province") continue;
    for (const size_t municipality : strata[line].municipalities) {
      size_t& known = furthest[municipality];
      if (known == kNoLine || behind[line] < behind[known]) known = line;
    }
  }
  return furthest;
}

}  // namespace

std::vector<PlannedCall> CallsOf(const std::vector<Standing>& standings, const std::vector<Stratum>& strata,
                                 const std::vector<v1::FieldworkLine>& lines, absl::Time now) {
  std::vector<Behind> behind;
  for (const auto& line : lines) behind.push_back(BehindOf(line, lines.front()));
  const std::vector<size_t> furthest = FurthestLines(standings.size(), strata, behind);
  std::vector<PlannedCall> calls;
  for (size_t i = 0; i < standings.size(); ++i) {
    if (const auto reason = ReasonFor(standings[i], now); reason != v1::CALL_REASON_UNSPECIFIED) calls.push_back({i, reason, furthest[i]});
  }
  // Standings are by code.
  std::sort(calls.begin(), calls.end(), [&](const PlannedCall& a, const PlannedCall& b) {
    return std::tie(behind[a.line], a.line, a.reason, a.municipality) < std::tie(behind[b.line], b.line, b.reason, b.municipality);
  });
  return calls;
}

}  // namespace peiling::fieldwork
