#include "services/common/calendar/amsterdam.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/status/errors.h"

namespace peiling::calendar {
namespace {

std::optional<absl::TimeZone> Load() {
  absl::TimeZone zone;
  if (!absl::LoadTimeZone("Europe/Amsterdam", &zone)) return std::nullopt;
  return zone;
}

const std::optional<absl::TimeZone>& Loaded() {
  static const std::optional<absl::TimeZone> zone = Load();
  return zone;
}

absl::Time AtLocal(absl::CivilSecond local) {
  const absl::TimeZone::TimeInfo info = Amsterdam().At(local);
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
}

// Text in exactly the form in which Abseil writes it.
template <typename Civil>
std::optional<Civil> ParseExactly(std::string_view text) {
  Civil civil;
  const absl::string_view iso(text.data(), text.size());
  if (!absl::ParseCivilTime(iso, &civil) || absl::FormatCivilTime(civil) != iso) return std::nullopt;
  return civil;
}

}  // namespace

absl::Status CheckTimeZone() {
  if (Loaded()) return absl::OkStatus();
  return status::Error(absl::StatusCode::kFailedPrecondition, "TIME_ZONE_MISSING",
                       "the system does not know Europe/Amsterdam; install tzdata");
}

const absl::TimeZone& Amsterdam() {
  static const absl::TimeZone zone = Loaded().value_or(absl::UTCTimeZone());
  return zone;
}

std::string DayOf(absl::Time time) { return absl::FormatTime("%Y-%m-%d", time, Amsterdam()); }

std::optional<absl::Time> ParseLocalMinute(std::string_view text) {
  constexpr size_t kDay = sizeof("2026-03-24") - 1;
  if (text.size() <= kDay || text[kDay] != ' ') return std::nullopt;
  const std::optional<absl::CivilDay> day = ParseExactly<absl::CivilDay>(text.substr(0, kDay));
  return day ? AtTimeOfDay(*day, text.substr(kDay + 1)) : std::nullopt;
}

std::optional<absl::Time> AtTimeOfDay(absl::CivilDay day, std::string_view time_of_day) {
  const std::string iso = absl::StrCat(absl::FormatCivilTime(day), "T", absl::string_view(time_of_day.data(), time_of_day.size()));
  const std::optional<absl::CivilMinute> minute = ParseExactly<absl::CivilMinute>(iso);
  if (!minute) return std::nullopt;
  return AtLocal(absl::CivilSecond(*minute));
}

std::optional<absl::Time> BeginOfDay(std::string_view day) {
  const std::optional<absl::CivilDay> parsed = ParseExactly<absl::CivilDay>(day);
  if (!parsed) return std::nullopt;
  return AtLocal(absl::CivilSecond(*parsed));
}

std::optional<absl::Time> EndOfDay(std::string_view day) {
  const std::optional<absl::CivilDay> parsed = ParseExactly<absl::CivilDay>(day);
  if (!parsed) return std::nullopt;
  return AtLocal(absl::CivilSecond(*parsed + 1));
}

absl::Time AddDays(absl::Time time, int days, std::string_view time_of_day) {
  const absl::TimeZone::CivilInfo local = Amsterdam().At(time);
  const absl::CivilDay day = absl::CivilDay(local.cs) + days;
  if (const std::optional<absl::Time> at = AtTimeOfDay(day, time_of_day)) return *at;
  // The second of two equal times of day is not looked up anew: that would be the first.
  if (days == 0) return time;
  return AtLocal(absl::CivilSecond(day) + (local.cs - absl::CivilSecond(absl::CivilDay(local.cs)))) + local.subsecond;
}

absl::Time AddMonths(absl::Time time, int months) {
  const absl::CivilDay day(Amsterdam().At(time).cs);
  const absl::CivilMonth month = absl::CivilMonth(day) + months;
  const absl::CivilDay last = absl::CivilDay(month + 1) - 1;
  const absl::CivilDay wanted = std::min(absl::CivilDay(month) + (day.day() - 1), last);
  return AddDays(time, static_cast<int>(wanted - day));
}

std::string InDutch(absl::Time time) {
  // As absl::Weekday counts: from Monday.
  static constexpr std::array<const char*, 7> kDays = {"maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"};
  static constexpr std::array<const char*, 12> kMonths = {"januari", "februari", "maart",     "april",   "mei",      "juni",
                                                          "juli",    "augustus", "september", "oktober", "november", "december"};
  const absl::CivilSecond local = Amsterdam().At(time).cs;
  return absl::StrFormat("%s %d %s %d om %02d.%02d uur", kDays[static_cast<size_t>(absl::GetWeekday(local))], local.day(),
                         kMonths[static_cast<size_t>(local.month()) - 1], local.year(), local.hour(), local.minute());
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  const timespec parts = absl::ToTimespec(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(parts.tv_sec);
  timestamp.set_nanos(static_cast<int32_t>(parts.tv_nsec));
  return timestamp;
}

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace peiling::calendar
