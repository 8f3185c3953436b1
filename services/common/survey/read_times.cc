#include "services/common/survey/read_times.h"

#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "services/common/calendar/amsterdam.h"

namespace peiling::survey {
namespace {

using yaml::Need;

constexpr int64_t kMaxRetentionMonths = 120;
constexpr absl::Duration kMaxGrace = absl::Hours(31 * 24);

// Days, or the days of minutes, that come before those they should come after.
void CheckOrder(yaml::Map& map, std::string_view earlier, std::string_view later) {
  constexpr size_t kDay = sizeof("2026-03-24") - 1;
  const yaml::TreeNode* first = map.Find(earlier);
  const yaml::TreeNode* last = map.Find(later);
  if (first != nullptr && last != nullptr && last->text.substr(0, kDay) < first->text.substr(0, kDay)) {
    map.document().Fail(last->place, std::string(later), " is before ", std::string(earlier));
  }
}

std::optional<absl::Time> ReadMinute(yaml::Map& map, std::string_view key) {
  const std::string text = map.Text(key);
  if (text.empty()) return std::nullopt;
  const std::optional<absl::Time> time = calendar::ParseLocalMinute(text);
  if (!time) map.document().Fail(map.Find(key)->place, "\"", text, "\", want a minute on Dutch clocks, YYYY-MM-DD HH:MM");
  return time;
}

// "2h", "30m", "1d" of 24 hours.
std::optional<absl::Duration> ParseGrace(const std::string& text) {
  int64_t number = 0;
  if (text.size() < 2 || !absl::SimpleAtoi(text.substr(0, text.size() - 1), &number) || number < 1 ||
      number > kMaxGrace / absl::Minutes(1)) {
    return std::nullopt;
  }
  const char unit = text.back();
  if (unit != 'm' && unit != 'h' && unit != 'd') return std::nullopt;
  const absl::Duration grace = number * (unit == 'm' ? absl::Minutes(1) : unit == 'h' ? absl::Hours(1) : absl::Hours(24));
  return grace <= kMaxGrace ? std::optional(grace) : std::nullopt;
}

void ReadGrace(yaml::Map& map, intake::v1::Wave& wave) {
  const std::string text = map.Text("grace");
  if (text.empty()) return;
  const yaml::Place& place = map.Find("grace")->place;
  if (map.Find("closes") == nullptr) map.document().Fail(place, "grace follows closes, which is missing");
  if (const std::optional<absl::Duration> grace = ParseGrace(text)) {
    wave.mutable_grace_period()->set_seconds(absl::ToInt64Seconds(*grace));
  } else {
    map.document().Fail(place, "\"", text, "\", want a time such as 30m, 2h or 1d, at most 31d");
  }
}

void ReadSchedule(yaml::Map& map, intake::v1::Wave& wave) {
  const std::optional<absl::Time> opens = ReadMinute(map, "opens");
  const std::optional<absl::Time> closes = ReadMinute(map, "closes");
  if (opens) *wave.mutable_opens_at() = calendar::ToProto(*opens);
  if (closes) *wave.mutable_closes_at() = calendar::ToProto(*closes);
  for (const auto& [one, other] : {std::pair("opens", "closes"), std::pair("closes", "opens")}) {
    if (map.Find(one) != nullptr && map.Find(other) == nullptr) {
      map.document().Fail(map.Find(one)->place, one, " without ", other, "; give both or none");
    }
  }
  if (opens && closes && *closes <= *opens) map.document().Fail(map.Find("closes")->place, "closes is not after opens");
}

}  // namespace

void ReadTimes(yaml::Map& map, intake::v1::Wave& wave) {
  ReadSchedule(map, wave);
  ReadGrace(map, wave);
  wave.set_opened(map.Date("opened", map.Find("opens") != nullptr ? Need::kOptional : Need::kRequired));
  wave.set_first_deadline(map.Date("first_deadline"));
  wave.set_closed(map.Date("closed"));
  const std::string_view begin = wave.opened().empty() ? "opens" : "opened";
  const std::string_view end = wave.closed().empty() ? "closes" : "closed";
  CheckOrder(map, begin, "first_deadline");
  CheckOrder(map, begin, end);
  CheckOrder(map, "first_deadline", end);

  const int64_t months = map.Integer("retention_months").value_or(0);
  if (map.Find("retention_months") != nullptr && (months < 1 || months > kMaxRetentionMonths)) {
    map.document().Fail(map.Find("retention_months")->place, months, ", want 1 to ", kMaxRetentionMonths);
  }
  wave.set_retention_months(static_cast<int32_t>(months));
}

}  // namespace peiling::survey
