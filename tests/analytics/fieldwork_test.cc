#include "services/analytics/fieldwork.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/analytics/wave_overlap.h"
#include "services/common/calendar/amsterdam.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

namespace dv = dedup::v1;
using samples::Decide;
using testing::ElementsAre;

// "total: 10 gemeenten, 3 gestart, 2 bruikbaar, 1 volledig".
std::string Line(const v1::Progress& progress, const std::string& code) {
  for (const auto& line : progress.lines()) {
    if (line.code() != code) continue;
    return std::to_string(line.municipalities()) + " " + std::to_string(line.started()) + " " + std::to_string(line.usable()) + " " +
           std::to_string(line.complete());
  }
  return "none";
}

class FieldworkTest : public testing::Test {
 protected:
  FieldworkTest() : fieldwork_(samples::SampleFrame(), calendar::Amsterdam()) {
    // Municipality 1: begun by somebody on the 5th, submitted by a colleague on the 8th.
    fieldwork_.Put(Decide("1", dv::DISPOSITION_COLLEAGUE_DUPLICATE, {1}, "2022-09-05T08:00:00Z"));
    fieldwork_.Put(Decide("2", dv::DISPOSITION_KEPT, {1}, "2022-09-07T08:00:00Z", "2022-09-08T08:00:00Z", {1}));
    // Municipalities 2 and 7 together.
    fieldwork_.Put(Decide("3", dv::DISPOSITION_KEPT, {2, 7}, "2022-09-06T08:00:00Z", "2022-09-06T09:00:00Z", {2, 7}));
    // Begun late in the evening of the 9th in UTC: the 10th in Amsterdam. Never submitted.
    fieldwork_.Put(Decide("4", dv::DISPOSITION_KEPT, {9}, "2022-09-09T22:30:00Z", "", {9}));
    fieldwork_.Put(Decide("5", dv::DISPOSITION_MUNICIPALITY_UNKNOWN, {}, "2022-09-05T10:00:00Z", "2022-09-05T10:05:00Z"));
    fieldwork_.Put(Decide("6", dv::DISPOSITION_AMBIGUOUS, {3, 4}, "2022-09-05T11:00:00Z"));
    fieldwork_.Put(Decide("7", dv::DISPOSITION_WITHDRAWN, {5}, "2022-09-05T12:00:00Z", "2022-09-05T12:30:00Z"));
  }

  Fieldwork fieldwork_;
};

TEST_F(FieldworkTest, CountsNow) {
  const auto progress = fieldwork_.On(std::nullopt);
  EXPECT_EQ(progress.as_of(), "");
  EXPECT_EQ(Line(progress, "total"), "10 7 4 3");
  EXPECT_EQ(progress.started_unknown(), 2);
  EXPECT_EQ(Line(progress, "UNDER_50K"), "6 4 2 2");
  EXPECT_EQ(Line(progress, "50K_TO_100K"), "2 1 1 1");
  EXPECT_EQ(Line(progress, "100K_TO_200K"), "0 0 0 0");
  EXPECT_EQ(Line(progress, "Utrecht"), "6 4 2 2");
  EXPECT_EQ(Line(progress, "G4"), "1 1 1 0");
  EXPECT_EQ(progress.lines(0).response_percent(), 40);
  EXPECT_EQ(progress.lines(0).stratum(), "total");
  EXPECT_EQ(progress.lines(1).stratum(), "size_class");
  EXPECT_FALSE(progress.lines(3).has_response_percent());  // No municipalities of that size.
}

TEST_F(FieldworkTest, CountsAsItStoodOnADay) {
  struct Case {
    absl::CivilDay day;
    const char* total;
  };
  for (const auto& c : {Case{absl::CivilDay(2022, 9, 4), "10 0 0 0"},
                        {absl::CivilDay(2022, 9, 5), "10 4 1 0"},
                        {absl::CivilDay(2022, 9, 6), "10 5 3 2"},
                        {absl::CivilDay(2022, 9, 7), "10 6 3 2"},
                        {absl::CivilDay(2022, 9, 8), "10 6 3 3"},
                        {absl::CivilDay(2022, 9, 9), "10 6 3 3"},
                        {absl::CivilDay(2022, 9, 10), "10 7 4 3"}}) {
    EXPECT_EQ(Line(fieldwork_.On(c.day), "total"), c.total) << absl::FormatCivilTime(c.day);
  }
  EXPECT_EQ(fieldwork_.On(absl::CivilDay(2022, 9, 5)).as_of(), "2022-09-05");
}

TEST_F(FieldworkTest, ALaterDecisionReplacesTheEarlierOne) {
  fieldwork_.Put(Decide("5", dv::DISPOSITION_KEPT, {3}, "2022-09-05T10:00:00Z", "2022-09-05T10:05:00Z", {3}));
  const auto progress = fieldwork_.On(std::nullopt);
  EXPECT_EQ(Line(progress, "total"), "10 7 5 4");
  EXPECT_EQ(progress.started_unknown(), 1);
}

TEST_F(FieldworkTest, AMunicipalityWhoseRecordARulingTookFromAnUnsubmittedResponseIsNotComplete) {
  fieldwork_.Put(Decide("8", dv::DISPOSITION_RESTART, {9}, "2022-09-11T08:00:00Z", "2022-09-11T09:00:00Z"));
  EXPECT_EQ(Line(fieldwork_.On(std::nullopt), "G4"), "1 2 1 0");
}

TEST_F(FieldworkTest, CountsResponsesForReports) {
  namespace sv = survey::v1;
  EXPECT_EQ(fieldwork_.Responses(sv::FIELDWORK_COUNT_STARTED, nullptr), 7);
  EXPECT_EQ(fieldwork_.Responses(sv::FIELDWORK_COUNT_KEPT, nullptr), 3);
  EXPECT_EQ(fieldwork_.Responses(sv::FIELDWORK_COUNT_JOINT_QUESTIONNAIRES, nullptr), 1);
  Bitmap among;
  among.Set(samples::SampleFrame()->Find(samples::Code(1)));
  EXPECT_EQ(fieldwork_.Responses(sv::FIELDWORK_COUNT_STARTED, &among), 2);
  EXPECT_EQ(fieldwork_.Responses(sv::FIELDWORK_COUNT_KEPT, &among), 1);
}

TEST(TookPart, LinksMunicipalitiesThroughMergersAndNotThroughSplits) {
  const auto frame = samples::SampleFrame();
  const auto earlier = samples::SampleFrame();
  // Of the earlier wave these took part: unchanged, merged into 2, split, gone from this wave's frame.
  Bitmap participants;
  participants.Set(earlier->Find(samples::Code(1)));
  for (const int number : {4, 5, 6}) participants.Set(earlier->Find(samples::Code(number)));
  const auto lineages = samples::Parse<registry::v1::TraceLineageResponse>(R"(
    lineages { code: "GM0001" codes: "GM0001" }
    lineages { code: "GM0003" codes: "GM0003" }
    lineages { code: "GM0004" codes: "GM0002" }
    lineages { code: "GM0005" codes: "GM0005" codes: "GM0007" }
    lineages { code: "GM0006" codes: "GM9999" }
    lineages { code: "GM8888" codes: "GM0008" })");
  std::vector<std::string> took_part;
  TookPart(*frame, lineages, *earlier, participants).ForEach([&](size_t municipality) {
    took_part.push_back(frame->code(static_cast<MunicipalityIndex>(municipality)));
  });
  EXPECT_THAT(took_part, ElementsAre("GM0001", "GM0002"));
}

}  // namespace
}  // namespace peiling::analytics
