#include "services/fieldwork/progress/fieldwork_days.h"

#include <algorithm>
#include <string>

#include "services/common/calendar/amsterdam.h"

namespace peiling::fieldwork {
namespace {

std::optional<absl::CivilDay> ParseDay(const std::string& text) {
  absl::CivilDay day;
  return absl::ParseCivilTime(text, &day) ? std::optional(day) : std::nullopt;
}

absl::CivilDay DayAt(absl::Time time) { return absl::ToCivilDay(time, calendar::Amsterdam()); }

}  // namespace

std::optional<absl::CivilDay> OpeningDay(const intake::v1::Wave& wave) {
  return wave.has_opens_at() ? DayAt(calendar::FromProto(wave.opens_at())) : ParseDay(wave.opened());
}

std::optional<absl::CivilDay> ClosingDay(const intake::v1::Wave& wave) {
  // At midnight it was open the day before for the last time.
  return wave.has_closes_at() ? DayAt(calendar::FromProto(wave.closes_at()) - absl::Nanoseconds(1)) : ParseDay(wave.closed());
}

int FieldworkDay(const intake::v1::Wave& wave, absl::Time now) {
  const auto opening = OpeningDay(wave);
  if (!opening.has_value() || (wave.has_opens_at() && now < calendar::FromProto(wave.opens_at()))) return 0;
  const absl::CivilDay day = std::min(DayAt(now), ClosingDay(wave).value_or(absl::CivilDay::max()));
  return std::max<int>(0, static_cast<int>(day - *opening) + 1);
}

absl::CivilDay DayWithNumber(const intake::v1::Wave& wave, int number) {
  return std::min(*OpeningDay(wave) + (number - 1), ClosingDay(wave).value_or(absl::CivilDay::max()));
}

bool IsOver(const intake::v1::Wave& wave, absl::Time now) {
  return wave.has_closes_at() && now >= calendar::FromProto(wave.closes_at()) + calendar::FromProto(wave.grace_period());
}

}  // namespace peiling::fieldwork
