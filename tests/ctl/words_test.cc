#include "services/ctl/output/words.h"

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/ctl/client/errors.h"

namespace peiling::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

TEST(WordTest, EnumsAreWordsWithoutTheirPrefix) {
  EXPECT_EQ(Word(dedup::v1::CASE_STATE_WAITING), "waiting");
  EXPECT_EQ(Word(dedup::v1::DISPOSITION_COLLEAGUE_DUPLICATE), "colleague-duplicate");
  EXPECT_EQ(Word(survey::v1::SIZE_CLASS_50K_TO_100K), "50k-to-100k");
  EXPECT_EQ(Word(dedup::v1::CASE_STATE_UNSPECIFIED), "");
  EXPECT_EQ(Word(static_cast<dedup::v1::CaseState>(99)), "99");
}

TEST(WordTest, WordsReadBack) {
  for (const std::string& word : Words<dedup::v1::Disposition>()) EXPECT_EQ(Word(*ParseWord<dedup::v1::Disposition>(word)), word);
  EXPECT_EQ(*ParseWord<dedup::v1::Disposition>("Colleague_Duplicate"), dedup::v1::DISPOSITION_COLLEAGUE_DUPLICATE);
  EXPECT_EQ(*ParseWord<dedup::v1::CaseState>(""), dedup::v1::CASE_STATE_UNSPECIFIED);
  EXPECT_THAT(Words<dedup::v1::CaseState>(), ElementsAre("decided", "waiting", "empty"));
}

TEST(WordTest, AnUnknownWordIsAUsageErrorThatNamesTheOthers) {
  const auto state = ParseWord<dedup::v1::CaseState>("wating");
  EXPECT_EQ(ExitCodeOf(state.status()), ExitCode::kUsage);
  EXPECT_THAT(std::string(state.status().message()), HasSubstr("decided, waiting, empty"));
}

TEST(MomentTest, IsTheClockInTheNetherlands) {
  EXPECT_EQ(Moment(Parse<google::protobuf::Timestamp>("seconds: 1649059920")), "2022-04-04 10:12");  // summer time
  EXPECT_EQ(Moment(Parse<google::protobuf::Timestamp>("seconds: 1642068720")), "2022-01-13 11:12");
  EXPECT_EQ(Moment({}), "");
}

TEST(MomentTest, IsReadAsPeopleWriteIt) {
  const auto read = [](const std::string& text) {
    const auto moment = ParseMoment(text, Direction::kAhead);
    return moment.ok() ? MomentToTheSecond(*moment) : "no moment";
  };
  EXPECT_EQ(read("2022-04-04"), "2022-04-04 00:00:00");
  EXPECT_EQ(read("2022-01-13 11:12"), "2022-01-13 11:12:00");
  EXPECT_EQ(read("2022-01-13T11:12:13Z"), "2022-01-13 12:12:13");
  for (const char* text : {"", "d", "90", "-1d", "0d", "1w", "90d ", "100001d", "99999999999999999999d", "2022-02-30", "tomorrow"}) {
    EXPECT_EQ(read(text), "no moment") << text;
  }
}

TEST(MomentTest, IsReadAsADistanceFromNow) {
  const auto seconds = [](const std::string& text, Direction direction) {
    return static_cast<double>(ParseMoment(text, direction)->seconds() - google::protobuf::util::TimeUtil::GetCurrentTime().seconds());
  };
  EXPECT_NEAR(seconds("90d", Direction::kAhead), 90 * 86400, 5);
  EXPECT_NEAR(seconds("12h", Direction::kAgo), -12 * 3600, 5);
  EXPECT_NEAR(seconds("30m", Direction::kAgo), -30 * 60, 5);
}

TEST(AnswerTextTest, SaysLabelsWhereThereAreAny) {
  const auto question =
      Parse<survey::v1::Question>(R"(code: "Q8" options { code: "loket" label: "Aan het loket" } options { code: "anders" label: "Anders" }
                                                       rows { code: "po" label: "Basisschool" })");
  EXPECT_EQ(AnswerText(&question,
                       Parse<survey::v1::Answer>(R"(selection { codes: ["loket", "anders"] other_text: "per post" comment: "soms" })")),
            "Aan het loket; Anders; \"per post\"; (soms)");
  EXPECT_EQ(AnswerText(&question, Parse<survey::v1::Answer>(R"(grid { cells { row: "po" option: "loket" } })")),
            "Basisschool: Aan het loket");
  EXPECT_EQ(AnswerText(nullptr, Parse<survey::v1::Answer>(R"(selection { codes: "loket" })")), "loket");
  EXPECT_EQ(AnswerText(nullptr, Parse<survey::v1::Answer>("number: 3.5")), "3.5");
  EXPECT_EQ(AnswerText(nullptr, Parse<survey::v1::Answer>(R"(date: "2022-04-04")")), "2022-04-04");
  EXPECT_EQ(AnswerText(nullptr, {}), "");
}

}  // namespace
}  // namespace peiling::ctl
