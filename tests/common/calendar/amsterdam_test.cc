#include "services/common/calendar/amsterdam.h"

#include <cstdint>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace peiling::calendar {
namespace {

// In 2026 clocks go forward on 29 March, from 02:00 to 03:00, and back on 25 October, from 03:00 to 02:00: both at 01:00 UTC.

// As RFC 3339 has it.
std::string InUtc(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }
std::string InUtc(const std::optional<absl::Time>& time) { return time ? InUtc(*time) : "none"; }

absl::Time Utc(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << text << ": " << error;
  return time;
}

TEST(AmsterdamTest, IsKnownToTheSystem) { EXPECT_TRUE(CheckTimeZone().ok()); }

TEST(AmsterdamTest, TheDayIsThatOfDutchClocks) {
  EXPECT_EQ(DayOf(Utc("2026-01-31T22:59:59Z")), "2026-01-31");
  EXPECT_EQ(DayOf(Utc("2026-01-31T23:00:00Z")), "2026-02-01");
  EXPECT_EQ(DayOf(Utc("2026-07-31T21:59:59Z")), "2026-07-31");
  EXPECT_EQ(DayOf(Utc("2026-07-31T22:00:00Z")), "2026-08-01");
}

TEST(AmsterdamTest, ReadsLocalMinutes) {
  const struct {
    const char* text;
    const char* utc;
  } cases[] = {
      {"2026-03-24 09:00", "2026-03-24T08:00:00Z"},
      {"2026-07-01 00:00", "2026-06-30T22:00:00Z"},
      {"2024-02-29 23:59", "2024-02-29T22:59:00Z"},
      // Skipped: the first time there is after it, whichever of the hour's minutes it is.
      {"2026-03-29 01:59", "2026-03-29T00:59:00Z"},
      {"2026-03-29 02:00", "2026-03-29T01:00:00Z"},
      {"2026-03-29 02:30", "2026-03-29T01:00:00Z"},
      {"2026-03-29 02:59", "2026-03-29T01:00:00Z"},
      {"2026-03-29 03:00", "2026-03-29T01:00:00Z"},
      {"2026-03-29 03:01", "2026-03-29T01:01:00Z"},
      // Twice: the first.
      {"2026-10-25 01:59", "2026-10-24T23:59:00Z"},
      {"2026-10-25 02:00", "2026-10-25T00:00:00Z"},
      {"2026-10-25 02:30", "2026-10-25T00:30:00Z"},
      {"2026-10-25 03:00", "2026-10-25T02:00:00Z"},
  };
  for (const auto& c : cases) EXPECT_EQ(InUtc(ParseLocalMinute(c.text)), c.utc) << c.text;
}

TEST(AmsterdamTest, RefusesWhatIsNoLocalMinute) {
  for (const char* text : {"",
                           "2026-03-24",
                           "2026-03-24 ",
                           "2026-03-24 9:00",
                           "2026-03-24 09:0",
                           "2026-03-24 09:00:00",
                           "2026-03-24T09:00",
                           "2026-3-24 09:00",
                           "2026-02-30 09:00",
                           "2025-02-29 09:00",
                           "2026-13-01 09:00",
                           "2026-03-24 24:00",
                           "2026-03-24 09:60",
                           " 2026-03-24 09:00",
                           "2026-03-24 09:00 ",
                           "2026-03-24  09:00",
                           "26-03-24 009:000",
                           "24-03-2026 09:00",
                           "2026-03-24 09.00",
                           "2026-03-24 -1:00"}) {
    EXPECT_EQ(ParseLocalMinute(text), std::nullopt) << text;
  }
}

TEST(AmsterdamTest, FindsATimeOfDay) {
  EXPECT_EQ(InUtc(AtTimeOfDay(absl::CivilDay(2026, 3, 24), "09:00")), "2026-03-24T08:00:00Z");
  EXPECT_EQ(InUtc(AtTimeOfDay(absl::CivilDay(2026, 3, 29), "02:15")), "2026-03-29T01:00:00Z");
  EXPECT_EQ(InUtc(AtTimeOfDay(absl::CivilDay(2026, 10, 25), "02:15")), "2026-10-25T00:15:00Z");
  for (const char* text : {"", "9:00", "24:00", "09:00:00", "noon"}) {
    EXPECT_EQ(AtTimeOfDay(absl::CivilDay(2026, 3, 24), text), std::nullopt) << text;
  }
}

TEST(AmsterdamTest, DaysHave23Or25HoursWhenClocksChange) {
  EXPECT_EQ(InUtc(BeginOfDay("2026-03-29")), "2026-03-28T23:00:00Z");
  EXPECT_EQ(InUtc(EndOfDay("2026-03-29")), "2026-03-29T22:00:00Z");
  EXPECT_EQ(InUtc(BeginOfDay("2026-10-25")), "2026-10-24T22:00:00Z");
  EXPECT_EQ(InUtc(EndOfDay("2026-10-25")), "2026-10-25T23:00:00Z");
  EXPECT_EQ(EndOfDay("2026-12-31"), BeginOfDay("2027-01-01"));
  EXPECT_EQ(BeginOfDay("2026-02-30"), std::nullopt);
  EXPECT_EQ(EndOfDay("24 maart"), std::nullopt);
}

TEST(AmsterdamTest, AddsCalendarDays) {
  const struct {
    const char* from;
    int days;
    const char* time_of_day;
    const char* utc;
  } cases[] = {
      {"2026-03-28T08:00:00Z", 1, "", "2026-03-29T07:00:00Z"},         // 09:00, clocks go forward
      {"2026-03-29T07:00:00Z", -1, "", "2026-03-28T08:00:00Z"},        // and the way back
      {"2026-10-24T07:00:00Z", 1, "", "2026-10-25T08:00:00Z"},         // 09:00, clocks go back
      {"2026-03-28T01:30:00Z", 1, "", "2026-03-29T01:00:00Z"},         // 02:30, skipped
      {"2026-10-24T00:30:00Z", 1, "", "2026-10-25T00:30:00Z"},         // 02:30, the first of two
      {"2026-10-25T01:30:00Z", 0, "", "2026-10-25T01:30:00Z"},         // 02:30, the second of two: itself
      {"2026-10-25T01:30:00Z", 1, "", "2026-10-26T01:30:00Z"},         //
      {"2026-12-31T22:59:30Z", 1, "", "2027-01-01T22:59:30Z"},         // seconds stay
      {"2026-03-24T22:59:00Z", 0, "08:30", "2026-03-24T07:30:00Z"},    // the day is that of Dutch clocks
      {"2026-03-24T23:00:00Z", 0, "08:30", "2026-03-25T07:30:00Z"},    //
      {"2026-03-24T08:00:00Z", 5, "02:30", "2026-03-29T01:00:00Z"},    //
      {"2026-03-24T08:00:00Z", -400, "00:00", "2025-02-16T23:00:00Z"}  //
  };
  for (const auto& c : cases) EXPECT_EQ(InUtc(AddDays(Utc(c.from), c.days, c.time_of_day)), c.utc) << c.from << " " << c.days;
  EXPECT_EQ(AddDays(Utc("2026-01-01T00:00:00Z") + absl::Milliseconds(5), 1), Utc("2026-01-02T00:00:00Z") + absl::Milliseconds(5));
}

TEST(AmsterdamTest, AddsMonths) {
  const struct {
    const char* from;
    int months;
    const char* utc;
  } cases[] = {
      {"2026-03-24T08:00:00Z", 3, "2026-06-24T07:00:00Z"},  {"2026-11-30T16:00:00Z", 3, "2027-02-28T16:00:00Z"},
      {"2027-11-30T16:00:00Z", 3, "2028-02-29T16:00:00Z"},  {"2026-01-31T12:00:00Z", 1, "2026-02-28T12:00:00Z"},
      {"2026-12-31T12:00:00Z", -1, "2026-11-30T12:00:00Z"}, {"2026-09-25T00:30:00Z", 1, "2026-10-25T00:30:00Z"},
      {"2026-02-28T23:00:00Z", 1, "2026-03-31T22:00:00Z"},  // the end of February in Dutch days: 1 March 00:00
  };
  for (const auto& c : cases) EXPECT_EQ(InUtc(AddMonths(Utc(c.from), c.months)), c.utc) << c.from << " " << c.months;
}

TEST(AmsterdamTest, WritesDutch) {
  EXPECT_EQ(InDutch(Utc("2026-03-24T08:00:00Z")), "dinsdag 24 maart 2026 om 09.00 uur");
  EXPECT_EQ(InDutch(Utc("2026-08-02T21:59:59Z")), "zondag 2 augustus 2026 om 23.59 uur");
  EXPECT_EQ(InDutch(Utc("2026-11-22T23:00:00Z")), "maandag 23 november 2026 om 00.00 uur");
}

TEST(AmsterdamTest, ProtosHoldTheSameTimes) {
  for (const absl::Time time : {absl::UnixEpoch(), absl::FromUnixNanos(1'774'339'200'123'456'789), absl::FromUnixNanos(-1)}) {
    EXPECT_EQ(FromProto(ToProto(time)), time);
    EXPECT_GE(ToProto(time).nanos(), 0);
  }
  google::protobuf::Duration duration;
  duration.set_seconds(90);
  duration.set_nanos(500'000'000);
  EXPECT_EQ(FromProto(duration), absl::Milliseconds(90'500));
}

}  // namespace
}  // namespace peiling::calendar
