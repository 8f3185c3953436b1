#include "services/fieldwork/progress/lines.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace peiling::fieldwork {
namespace {

// Null when analytics has no such class.
const analytics::v1::ProgressLine* Find(const analytics::v1::Progress& progress, const Stratum& stratum) {
  const auto found = std::find_if(progress.lines().begin(), progress.lines().end(),
                                  [&](const auto& line) { return line.stratum() == stratum.kind && line.code() == stratum.code; });
  return found == progress.lines().end() ? nullptr : &*found;
}

void Count(const Standing& standing, v1::FieldworkLine& line) {
  const auto add = [](int64_t before, bool one) { return before + (one ? 1 : 0); };
  line.set_municipalities(line.municipalities() + 1);
  line.set_invited(add(line.invited(), !standing.shown.invitation().empty()));
  line.set_reached(add(line.reached(), standing.reached));
  line.set_opened(add(line.opened(), standing.opened));
  line.set_started(add(line.started(), standing.started));
  line.set_submitted(add(line.submitted(), standing.submitted));
  line.set_bounced(add(line.bounced(), standing.shown.bounces() > 0));
  line.set_escalated(add(line.escalated(), standing.shown.escalations() > 0));
}

void SetUsable(const analytics::v1::Progress& progress, const Stratum& stratum, v1::FieldworkLine& line) {
  const auto* const counted = Find(progress, stratum);
  if (counted == nullptr) return;
  line.set_usable(counted->usable());
  if (counted->has_response_percent()) line.set_response_percent(counted->response_percent());
}

void SetTarget(const intake::v1::Wave& wave, const Stratum& stratum, v1::FieldworkLine& line) {
  for (const auto& target : wave.response_targets()) {
    // Documents write codes in small letters.
    if (target.stratum() != stratum.kind || !absl::EqualsIgnoreCase(target.code(), stratum.code)) continue;
    line.set_target_percent(target.percent());
    if (!line.has_usable()) return;
    // The least number that is so many percent.
    const int64_t wanted = (line.municipalities() * target.percent() + 99) / 100;
    return line.set_wanted(std::max<int64_t>(0, wanted - line.usable()));
  }
}

void AddEarlier(const EarlierWave& wave, const Stratum& stratum, v1::FieldworkLine& line) {
  const auto* const same_day = Find(wave.same_day, stratum);
  const auto* const at_end = Find(wave.at_end, stratum);
  if (same_day == nullptr || at_end == nullptr || !at_end->has_response_percent()) return;
  auto& earlier = *line.add_earlier();
  earlier.set_wave(wave.name);
  earlier.set_response_percent(same_day->response_percent());
  earlier.set_final_percent(at_end->response_percent());
}

}  // namespace

std::vector<v1::FieldworkLine> LinesOf(const intake::v1::Wave& wave, const std::vector<Stratum>& strata,
                                       const std::vector<Standing>& standings, const ResponseSoFar& response) {
  std::vector<v1::FieldworkLine> lines;
  for (const Stratum& stratum : strata) {
    auto& line = lines.emplace_back();
    line.set_stratum(stratum.kind);
    line.set_code(stratum.code);
    line.set_label(stratum.label);
    for (const size_t municipality : stratum.municipalities) Count(standings[municipality], line);
    if (response.now.has_value()) SetUsable(*response.now, stratum, line);
    SetTarget(wave, stratum, line);
    for (const EarlierWave& earlier : response.earlier) AddEarlier(earlier, stratum, line);
  }
  return lines;
}

}  // namespace peiling::fieldwork
