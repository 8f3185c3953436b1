#include "services/analytics/tabulation.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

using samples::Parse;
using samples::Put;
using samples::RecordMaker;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Percent, IsRoundedHalfUpInWholeNumbers) {
  struct Case {
    int64_t k, n;
    int32_t percent;
  };
  for (const auto& c : {Case{20, 68, 29},
                        {1, 8, 13},
                        {1, 200, 1},
                        {1, 201, 0},
                        {0, 5, 0},
                        {5, 5, 100},
                        {29, 200, 15},
                        {57, 200, 29},
                        {23, 40, 58},
                        {63, 90, 70},
                        {1, 3, 33},
                        {2, 3, 67},
                        {199, 200, 100},
                        {1, 1000000, 0},
                        {1005, 200000, 1}}) {
    EXPECT_EQ(Percent({c.k, c.n}), c.percent) << c.k << " of " << c.n;
  }
  EXPECT_EQ(Percent({0, 0}), std::nullopt);
}

TEST(Percent, AgreesWithExactHalvesEverywhere) {
  for (int64_t n = 1; n <= 400; ++n) {
    for (int64_t k = 0; k <= n; ++k) {
      const int64_t percent = *Percent({k, n});
      // percent − ½ ≤ 100·k/n < percent + ½, crosswise.
      ASSERT_LE((2 * percent - 1) * n, 200 * k);
      ASSERT_LT(200 * k, (2 * percent + 1) * n);
    }
  }
}

class TabulationTest : public testing::Test {
 protected:
  TabulationTest() : index_(samples::Compiled(), samples::SampleFrame()) {
    Put(index_, RecordMaker(1).Choose("teams", {"ja"}).Choose("tasks", {"a", "b"}).Fill("care", {{"planting", "own"}, {"pruning", "own"}}));
    Put(index_, RecordMaker(2).Choose("teams", {"ja"}).Choose("tasks", {"a"}).Fill("care", {{"planting", "other"}}));
    Put(index_, RecordMaker(7).Choose("teams", {"nee"}).Choose("tasks", {"c"}).Text("remarks", "iets"));  // tasks: kept aside.
    Put(index_, RecordMaker(9).Choose("teams", {"ja"}));                                                  // tasks: skipped.
    Put(index_, RecordMaker(10).Choose("teams", {"ja"}).Incomplete(1));                                   // The rest: not reached.
  }

  v1::TabulateResponse Tabulated(const std::string& request, const Overlaps& overlaps = {}) {
    v1::TabulateResponse response;
    const auto status = Tabulate(
        index_, Parse<v1::TabulateRequest>(request), overlaps, [] { return false; }, response);
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }

  absl::Status Refusal(const std::string& request, const Overlaps& overlaps = {}) {
    v1::TabulateResponse response;
    return Tabulate(
        index_, Parse<v1::TabulateRequest>(request), overlaps, [] { return false; }, response);
  }

  WaveIndex index_;
};

// "ja: 3/4 75%" for each line and column.
std::vector<std::string> Lines(const v1::Table& table) {
  std::vector<std::string> lines;
  for (const auto& line : table.lines()) {
    std::string text = line.code() + ":";
    for (const auto& figure : line.figures()) {
      text += " " + std::to_string(figure.k()) + "/" + std::to_string(figure.n());
      if (figure.has_percent()) text += "=" + std::to_string(figure.percent());
    }
    lines.push_back(text);
  }
  return lines;
}

// "total 5: n=4 not_asked=1 …" for each column.
std::vector<std::string> Columns(const v1::Table& table) {
  std::vector<std::string> columns;
  for (const auto& column : table.columns()) {
    columns.push_back(column.code() + " " + std::to_string(column.records()) + ": n=" + std::to_string(column.n()) +
                      " not_asked=" + std::to_string(column.not_asked()) + " skipped=" + std::to_string(column.skipped()) +
                      " not_reached=" + std::to_string(column.not_reached()) + " aside=" + std::to_string(column.kept_aside()));
  }
  return columns;
}

TEST_F(TabulationTest, CountsASingleQuestion) {
  const auto response = Tabulated("questions: 'teams'");
  ASSERT_EQ(response.tables_size(), 1);
  EXPECT_EQ(response.tables(0).title(), "Zijn er teams?");
  EXPECT_THAT(Columns(response.tables(0)), ElementsAre("total 5: n=5 not_asked=0 skipped=0 not_reached=0 aside=0"));
  EXPECT_THAT(Lines(response.tables(0)), ElementsAre("ja: 4/5=80", "nee: 1/5=20"));
}

TEST_F(TabulationTest, KeepsNotAskedSkippedNotReachedAndKeptAsideOutOfTheBase) {
  const auto response = Tabulated("questions: 'tasks'");
  EXPECT_THAT(Columns(response.tables(0)), ElementsAre("total 5: n=2 not_asked=1 skipped=1 not_reached=1 aside=1"));
  EXPECT_THAT(Lines(response.tables(0)), ElementsAre("a: 2/2=100", "b: 1/2=50", "c: 0/2=0"));
}

TEST_F(TabulationTest, GivesAMatrixOneTableForEachRowWithTheRowsOwnBase) {
  const auto response = Tabulated("questions: 'care'");
  ASSERT_EQ(response.tables_size(), 2);
  EXPECT_EQ(response.tables(1).row(), "pruning");
  EXPECT_EQ(response.tables(1).row_label(), "Snoeien");
  EXPECT_THAT(Columns(response.tables(0)), ElementsAre("total 5: n=2 not_asked=0 skipped=2 not_reached=1 aside=0"));
  EXPECT_THAT(Columns(response.tables(1)), ElementsAre("total 5: n=1 not_asked=0 skipped=3 not_reached=1 aside=0"));
  EXPECT_THAT(Lines(response.tables(1)), ElementsAre("own: 1/1=100", "other: 0/1=0"));
}

TEST_F(TabulationTest, CountsTheBaseAloneOfAnOpenQuestion) {
  const auto response = Tabulated("questions: 'remarks'");
  EXPECT_THAT(Columns(response.tables(0)), ElementsAre("total 5: n=1 not_asked=0 skipped=3 not_reached=1 aside=0"));
  EXPECT_THAT(Lines(response.tables(0)), IsEmpty());
}

TEST_F(TabulationTest, WithoutQuestionsCountsAllButPersonalOnes) {
  const auto response = Tabulated("");
  std::vector<std::string> questions;
  for (const auto& table : response.tables()) questions.push_back(table.question() + table.row());
  EXPECT_THAT(questions, ElementsAre("teams", "tasks", "careplanting", "carepruning", "remarks"));
}

TEST_F(TabulationTest, BreaksDownBySizeClassWithEmptyClassesToo) {
  const auto response = Tabulated("questions: 'teams' by { stratum: STRATUM_SIZE_CLASS }");
  EXPECT_THAT(Lines(response.tables(0)), ElementsAre("ja: 4/5=80 2/2=100 0/1=0 0/0 2/2=100", "nee: 1/5=20 0/2=0 1/1=100 0/0 0/2=0"));
  EXPECT_EQ(response.tables(0).columns(1).code(), "UNDER_50K");
  EXPECT_EQ(response.tables(0).columns(1).label(), "Minder dan 50.000 inwoners");
}

TEST_F(TabulationTest, BreaksDownByProvinceGroupQuestionAndEarlierWave) {
  EXPECT_THAT(Lines(Tabulated("questions: 'teams' by { stratum: STRATUM_PROVINCE }").tables(0)).front(), "ja: 4/5=80 2/3=67 2/2=100");
  const auto by_group = Tabulated("questions: 'teams' by { group: 'G4' }").tables(0);
  EXPECT_EQ(by_group.columns(1).code(), "G4");
  EXPECT_EQ(by_group.columns(2).code(), "other");
  EXPECT_THAT(Lines(by_group).front(), "ja: 4/5=80 1/1=100 3/4=75");
  EXPECT_THAT(Lines(Tabulated("questions: 'teams' by { question: 'tasks' }").tables(0)).front(), "ja: 4/5=80 2/2=100 1/1=100 0/0");
  Bitmap participants;
  participants.Set(index_.frame().Find(samples::Code(1)));
  participants.Set(index_.frame().Find(samples::Code(7)));
  EXPECT_THAT(Lines(Tabulated("questions: 'teams' by { took_part_in: '2019' }", {{"2019", participants}}).tables(0)).front(),
              "ja: 4/5=80 1/2=50 3/3=100");
}

TEST_F(TabulationTest, CountsOnlyRecordsThatPassAllFilters) {
  EXPECT_THAT(Lines(Tabulated("questions: 'teams' filters { complete: true }").tables(0)).front(), "ja: 3/4=75");
  EXPECT_THAT(Lines(Tabulated("questions: 'teams' filters { complete: false }").tables(0)).front(), "ja: 1/1=100");
  EXPECT_THAT(Lines(Tabulated("questions: 'tasks' filters { option { question: 'tasks' option: 'b' } }").tables(0)).front(), "a: 1/1=100");
  EXPECT_THAT(Lines(Tabulated("questions: 'teams' filters { stratum { size_class: SIZE_CLASS_UNDER_50K } }"
                              " filters { option { question: 'care' row: 'pruning' option: 'own' } }")
                        .tables(0))
                  .front(),
              "ja: 1/1=100");
  EXPECT_THAT(Lines(Tabulated("questions: 'teams' filters { stratum { province: 'Utrecht' except: true } }").tables(0)).front(),
              "ja: 2/3=67");
}

TEST_F(TabulationTest, RefusesWhatIsNotThere) {
  struct Case {
    const char* request;
    const char* reason;
  };
  for (const auto& c : {Case{"questions: 'nope'", "QUESTION_NOT_FOUND"},
                        {"by { question: 'nope' }", "QUESTION_NOT_FOUND"},
                        {"by { question: 'care' }", "INVALID_REQUEST"},
                        {"by { question: 'remarks' }", "INVALID_REQUEST"},
                        {"questions: 'name'", "INVALID_REQUEST"},
                        {"by { group: 'G40' }", "GROUP_NOT_FOUND"},
                        {"by { took_part_in: '2014' }", "WAVE_NOT_FOUND"},
                        {"filters { stratum { province: 'Limburg' } }", "PROVINCE_NOT_FOUND"},
                        {"filters { stratum { took_part_in: '2014' } }", "WAVE_NOT_FOUND"},
                        {"filters { option { question: 'teams' option: 'misschien' } }", "OPTION_NOT_FOUND"},
                        {"filters { option { question: 'care' option: 'own' } }", "OPTION_NOT_FOUND"},
                        {"filters { option { question: 'teams' row: 'planting' option: 'ja' } }", "OPTION_NOT_FOUND"}}) {
    EXPECT_EQ(status::Reason(Refusal(c.request)), c.reason) << c.request;
  }
  EXPECT_EQ(status::Metadata(Refusal("questions: 'nope'")).at("question"), "nope");
}

TEST_F(TabulationTest, StopsWhenTheCallerIsGone) {
  v1::TabulateResponse response;
  EXPECT_TRUE(absl::IsCancelled(Tabulate(
      index_, {}, {}, [] { return true; }, response)));
}

}  // namespace
}  // namespace peiling::analytics
