#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "services/common/text/fold.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TableTest : public SuiteTest {
 protected:
  TableTest() {
    suite_.Answers<analytics::v1::TabulateResponse>(kTabulate, R"(
      tables {
        question: "Q5" title: "Werkt uw gemeente met wijkteams?" type: QUESTION_TYPE_SINGLE
        columns { code: "total" label: "Totaal" records: 90 n: 88 skipped: 2 }
        columns { code: "UNDER_50K" label: "Minder dan 50.000" records: 57 n: 57 }
        columns { code: "200K_AND_OVER" label: "200.000 en meer" records: 0 n: 0 }
        lines { code: "ja" label: "Ja" figures { k: 72 n: 88 share: 0.818 percent: 82 } figures { k: 46 n: 57 share: 0.807 percent: 81 } figures {} }
        lines { code: "nee" label: "Nee" figures { k: 16 n: 88 share: 0.182 percent: 18 } figures { k: 11 n: 57 share: 0.193 percent: 19 } figures {} }
      }
      notices: "De antwoorden zijn verzonnen.")");
  }

  const std::string kTabulate = AnalyticsMethod("Tabulate");
};

TEST_F(TableTest, ShowsPercentCountAndBases) {
  const Outcome outcome = RunCtl(suite_.address(), {"table", "Q5", "--by", "size-class"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "Q5  Werkt uw gemeente met wijkteams?\n"
            "           Totaal  Minder dan 50.000  200.000 en meer\n"
            "Ja       82% (72)           81% (46)                –\n"
            "Nee      18% (16)           19% (11)                –\n"
            "n              88                 57                0\n"
            "skipped         2                  0                0\n"
            "\n"
            "De antwoorden zijn verzonnen.\n");
}

TEST_F(TableTest, AsksWhatTheFlagsSay) {
  RunCtl(suite_.address(),
         {"table", "Q5", "Q10", "--by", "group:G40", "--filter", "Q5=ja", "--filter", "province!=Utrecht", "--min-records", "9"});
  const auto request = suite_.Requests<analytics::v1::TabulateRequest>(kTabulate).at(0);
  EXPECT_THAT(request.questions(), ElementsAre("Q5", "Q10"));
  EXPECT_EQ(request.by().group(), "G40");
  ASSERT_EQ(request.filters_size(), 2);
  EXPECT_EQ(request.filters(0).option().option(), "ja");
  EXPECT_TRUE(request.filters(1).stratum().except());
  EXPECT_EQ(request.wait_for().records(), 9u);
}

TEST_F(TableTest, TheLeastToCountIsGivenByPartition) {
  EXPECT_EQ(RunCtl(suite_.address(), {"table", "--min-submissions", "12,9,14", "Q5"}).code, 0);
  EXPECT_EQ(RunCtl(suite_.address(), {"table", "--min-submissions", "12", "Q5"}).code, 0);
  const auto requests = suite_.Requests<analytics::v1::TabulateRequest>(kTabulate);
  EXPECT_EQ(requests.at(0).wait_for().submissions(), 12u);
  EXPECT_THAT(requests.at(0).wait_for().further_submissions(), ElementsAre(9, 14));
  EXPECT_THAT(requests.at(1).wait_for().further_submissions(), ElementsAre());
  EXPECT_THAT(requests.at(1).questions(), ElementsAre("Q5"));
  EXPECT_EQ(RunCtl(suite_.address(), {"table", "--min-submissions", "12,x", "Q5"}).code, 2);
}

TEST_F(TableTest, AFilterTakesOneValueSoThatQuestionsMayFollow) {
  RunCtl(suite_.address(), {"table", "--filter", "complete", "Q5"});
  const auto request = suite_.Requests<analytics::v1::TabulateRequest>(kTabulate).at(0);
  EXPECT_THAT(request.questions(), ElementsAre("Q5"));
  EXPECT_EQ(request.filters_size(), 1);
}

TEST_F(TableTest, ColumnsThatDoNotFitGoBelow) {
  const Outcome outcome = RunCtl(suite_.address(), {"table", "Q5"}, {"COLUMNS=50"});
  for (const auto line : absl::StrSplit(outcome.out, '\n')) EXPECT_LE(text::DisplayWidth({line.data(), line.size()}), 50) << line;
  EXPECT_THAT(outcome.out, HasSubstr("Totaal"));
  EXPECT_THAT(outcome.out, HasSubstr("Minder dan 50.000"));
  EXPECT_THAT(outcome.out, HasSubstr("200.000 en meer"));
}

TEST_F(TableTest, CsvHasALineForEachFigureAndNoticesBesideIt) {
  const Outcome outcome = RunCtl(suite_.address(), {"table", "Q5", "-o", "csv"});
  const std::vector<std::string> lines = absl::StrSplit(outcome.out, '\n');
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_EQ(lines[0],
            "question,title,row,row_label,type,option,option_label,column,column_label,k,n,percent,records,not_asked,skipped,not_reached,"
            "kept_aside");
  EXPECT_EQ(lines[1], "Q5,Werkt uw gemeente met wijkteams?,,,single,ja,Ja,total,Totaal,72,88,82,90,0,2,0,0");
  EXPECT_EQ(lines[5], "Q5,Werkt uw gemeente met wijkteams?,,,single,ja,Ja,200K_AND_OVER,200.000 en meer,0,0,,0,0,0,0,0");
  EXPECT_EQ(outcome.err, "note: De antwoorden zijn verzonnen.\n");
}

TEST_F(TableTest, ColoursOnATerminalUnlessNotWanted) {
  EXPECT_THAT(RunCtlOnTerminal(suite_.address(), {"table", "Q5"}, 100).out, HasSubstr("\x1b["));
  EXPECT_EQ(RunCtlOnTerminal(suite_.address(), {"table", "Q5"}, 100, {"NO_COLOR=1"}).out.find('\x1b'), std::string::npos);
  EXPECT_EQ(RunCtl(suite_.address(), {"table", "Q5"}).out.find('\x1b'), std::string::npos);
}

TEST_F(TableTest, TheTerminalsWidthCounts) {
  const Outcome outcome = RunCtlOnTerminal(suite_.address(), {"table", "Q5"}, 50, {"NO_COLOR=1"});
  for (const auto line : absl::StrSplit(outcome.out, '\n')) EXPECT_LE(text::DisplayWidth({line.data(), line.size()}), 50) << line;
}

TEST_F(TableTest, ATableThatDoesNotHoldTogetherIsAnErrorNotACrash) {
  suite_.Answers<analytics::v1::TabulateResponse>(kTabulate, R"(tables { question: "Q5" columns { code: "total" } lines { code: "ja" } })");
  EXPECT_EQ(RunCtl(suite_.address(), {"table", "Q5"}).code, 5);
}

}  // namespace
}  // namespace peiling::ctl::testing
