#include "services/fieldwork/progress/calls.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/calendar/amsterdam.h"

namespace peiling::fieldwork {
namespace {

v1::CallReason ReasonFor(const Standing& standing, absl::Time now) {
  if (standing.submitted) return v1::CALL_REASON_UNSPECIFIED;
  const bool opened = standing.opened || standing.started;
  // Who opened the link can go on with it, unless it was handed over.
  if (standing.handed_over || !opened) {
    // That it failed says nothing of the address; yet nobody has heard of it.
    if (standing.only_failed) return v1::CALL_REASON_BOUNCED;
    if (standing.nobody_to_write_to) return standing.shown.bounces() > 0 ? v1::CALL_REASON_BOUNCED : v1::CALL_REASON_NO_CONTACT;
  }
  if (opened) {
    return calendar::AddDays(standing.last_touched, kStalledDays) <= now ? v1::CALL_REASON_STALLED : v1::CALL_REASON_UNSPECIFIED;
  }
  return standing.reminded ? v1::CALL_REASON_SILENT : v1::CALL_REASON_UNSPECIFIED;
}

// Place of a stratum, without whom to call.
CallPlace PlaceOf(const v1::FieldworkLine& line, size_t index) {
  return {.responded = static_cast<int32_t>(line.has_usable() ? line.usable() : line.submitted()),
          .municipalities = std::max<int32_t>(1, static_cast<int32_t>(line.municipalities())),
          .line = static_cast<int32_t>(index)};
}

// By municipality, the first of its own strata.
std::vector<std::optional<CallPlace>> FirstPlaces(size_t municipalities, const std::vector<Stratum>& strata,
                                                  const std::vector<v1::FieldworkLine>& lines) {
  std::vector<std::optional<CallPlace>> first(municipalities);
  for (size_t line = 0; line < strata.size(); ++line) {
    if (strata[line].kind != "size_class" && strata[line].kind != "province") continue;
    const CallPlace place = PlaceOf(lines[line], line);
    for (const size_t municipality : strata[line].municipalities) {
      if (!first[municipality] || place < *first[municipality]) first[municipality] = place;
    }
  }
  return first;
}

}  // namespace

bool CallPlace::operator<(const CallPlace& other) const {
  const int64_t mine = int64_t{responded} * other.municipalities;
  const int64_t others = int64_t{other.responded} * municipalities;
  return std::tie(mine, line, reason, code) < std::tie(others, other.line, other.reason, other.code);
}

std::string CallPlace::ToText() const {
  return absl::StrCat(responded, "/", municipalities, "/", line, "/", static_cast<int>(reason), "/", code);
}

std::optional<CallPlace> CallPlace::Parse(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  CallPlace place;
  int reason = 0;
  if (parts.size() != 5 || !absl::SimpleAtoi(parts[0], &place.responded) || !absl::SimpleAtoi(parts[1], &place.municipalities) ||
      !absl::SimpleAtoi(parts[2], &place.line) || !absl::SimpleAtoi(parts[3], &reason)) {
    return std::nullopt;
  }
  place.reason = static_cast<v1::CallReason>(reason);
  place.code = parts[4];
  return place;
}

std::vector<PlannedCall> CallsOf(const std::vector<Standing>& standings, const std::vector<Stratum>& strata,
                                 const std::vector<v1::FieldworkLine>& lines, absl::Time now) {
  const std::vector<std::optional<CallPlace>> first = FirstPlaces(standings.size(), strata, lines);
  std::vector<PlannedCall> calls;
  for (size_t i = 0; i < standings.size(); ++i) {
    const v1::CallReason reason = ReasonFor(standings[i], now);
    if (reason == v1::CALL_REASON_UNSPECIFIED) continue;
    PlannedCall& call = calls.emplace_back(PlannedCall{.municipality = i, .place = *first[i]});
    call.place.reason = reason;
    call.place.code = standings[i].shown.municipality();
  }
  std::sort(calls.begin(), calls.end(), [](const PlannedCall& a, const PlannedCall& b) { return a.place < b.place; });
  return calls;
}

}  // namespace peiling::fieldwork
