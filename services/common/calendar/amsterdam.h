// Days and times as people in the Netherlands know them: Europe/Amsterdam, with its summer time.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace peiling::calendar {

// What time it is; a test may have another.
using Clock = std::function<absl::Time()>;

// FAILED_PRECONDITION/TIME_ZONE_MISSING when the system does not know Europe/Amsterdam; to be asked once at start.
absl::Status CheckTimeZone();
// The zone; UTC when the system does not know it.
const absl::TimeZone& Amsterdam();

// Today there, YYYY-MM-DD.
std::string DayOf(absl::Time time);

// "2026-03-24 09:00" there. nullopt when it is not of this form or no such time. A time the clock skips in spring becomes the first there
// is after it; one that comes twice in autumn is the first of the two.
std::optional<absl::Time> ParseLocalMinute(std::string_view text);
// The same of a day and "HH:MM".
std::optional<absl::Time> AtTimeOfDay(absl::CivilDay day, std::string_view time_of_day);
// Midnight at which a day (YYYY-MM-DD) begins or ends; nullopt when it is none.
std::optional<absl::Time> BeginOfDay(std::string_view day);
std::optional<absl::Time> EndOfDay(std::string_view day);
// So many calendar days later (negative: earlier), at the same time of day, or at `time_of_day` when that is "HH:MM". A time of day that
// day does not have, or has twice, as in ParseLocalMinute.
absl::Time AddDays(absl::Time time, int days, std::string_view time_of_day = {});
// So many months later, at the same time of day; a day that month does not have becomes its last.
absl::Time AddMonths(absl::Time time, int months);
// "dinsdag 24 maart 2026 om 09.00 uur", as mail to officials has it.
std::string InDutch(absl::Time time);

google::protobuf::Timestamp ToProto(absl::Time time);
absl::Time FromProto(const google::protobuf::Timestamp& time);
absl::Duration FromProto(const google::protobuf::Duration& duration);

}  // namespace peiling::calendar
