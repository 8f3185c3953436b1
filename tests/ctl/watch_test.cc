#include <signal.h>

#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;

class WatchTest : public SuiteTest {
 protected:
  WatchTest() {
    suite_.Answers<intake::v1::WatchSubmissionsResponse>(
        IntakeMethod("WatchSubmissions"),
        {R"(submission { sequence: 1 response { name: "surveys/teams/waves/2022/responses/101" state: RESPONSE_STATE_SUBMITTED updated_at { seconds: 1649059920 }
                                                completeness { asked: 50 answered: 48 } } })",
         R"(caught_up { sequence: 1 })"},
        true);
    suite_.Answers<analytics::v1::WatchProgressResponse>(
        AnalyticsMethod("WatchProgress"),
        {R"(progress { lines { stratum: "total" label: "Totaal" municipalities: 344 started: 3 usable: 2 complete: 1 response_percent: 1 } })"},
        true);
  }
};

TEST_F(WatchTest, CtrlCIsACleanEnd) {
  Program program({PEILINGCTL, "watch", "submissions"}, {"PEILING_SERVER=" + suite_.address()});
  ASSERT_TRUE(program.WaitForOutput("up to date at 1"));
  program.Signal(SIGINT);
  const Outcome outcome = program.Wait();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "1  2022-04-04 10:12  101  submitted  48 of 50 answered\n");
  EXPECT_EQ(outcome.err, "note: up to date at 1; waiting for more (Ctrl-C stops)\n");
}

TEST_F(WatchTest, OnceShowsWhatThereIsAndStops) {
  const Outcome outcome = RunCtl(suite_.address(), {"watch", "submissions", "--once", "--after", "5", "-o", "json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1);
  EXPECT_THAT(outcome.out, HasSubstr("\"answered\":48"));
  EXPECT_EQ(suite_.Requests<intake::v1::WatchSubmissionsRequest>(IntakeMethod("WatchSubmissions")).at(0).after_sequence(), 5u);
}

TEST_F(WatchTest, SubmissionsAreThoseOfAPartition) {
  EXPECT_EQ(RunCtl(suite_.address(), {"watch", "submissions", "--once", "--partition", "3"}).code, 0);
  EXPECT_EQ(suite_.Requests<intake::v1::WatchSubmissionsRequest>(IntakeMethod("WatchSubmissions")).at(0).partition(), 3);
  EXPECT_EQ(RunCtl(suite_.address(), {"watch", "submissions", "--partition", "64"}).code, 2);
  EXPECT_EQ(RunCtl(suite_.address(), {"watch", "records", "--partition", "0"}).code, 2);
}

TEST_F(WatchTest, ProgressIsALineForEachChangeElsewhereThanOnATerminal) {
  const Outcome outcome = RunCtl(suite_.address(), {"watch", "progress", "--once"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "started 3, usable 2 of 344 (1%), complete 1\n");
}

TEST_F(WatchTest, AnErrorOfTheServerIsOne) {
  suite_.Answers<dedup::v1::WatchRecordsResponse>(DedupMethod("WatchRecords"), std::vector<std::string>{});
  suite_.Fails(DedupMethod("WatchRecords"), status::Error(absl::StatusCode::kOutOfRange, "SEQUENCE_IN_FUTURE", "the feed ends at 3"));
  EXPECT_EQ(RunCtl(suite_.address(), {"watch", "records", "--after", "9"}).code, 4);
}

TEST_F(WatchTest, AFeedIsNoCsv) { EXPECT_EQ(RunCtl(suite_.address(), {"watch", "records", "-o", "csv"}).code, 2); }

}  // namespace
}  // namespace peiling::ctl::testing
