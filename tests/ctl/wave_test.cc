// wave open, close, extend and changes.
#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;

class WaveTest : public SuiteTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
};

constexpr char kWave[] = R"(wave {
  name: "surveys/teams/waves/2022" state: WAVE_STATE_OPEN opens_at { seconds: 1774339200 } closes_at { seconds: 1778252400 }
  grace_period { seconds: 5400 } extensions: 1 personal_data_erased_at { seconds: 1786201200 } })";

TEST_F(WaveTest, ExtendsToAMinuteOnDutchClocks) {
  suite_.Answers<intake::v1::ExtendWaveResponse>(IntakeMethod("ExtendWave"), kWave);
  const Outcome outcome = Run({"wave", "extend", "2026-05-08 17:00", "--reason", "op verzoek"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "WAVE                      STATE  OPENS             CLOSES            GRACE  EXTENDED  PERSONAL DATA ERASED\n"
            "surveys/teams/waves/2022  open   2026-03-24 09:00  2026-05-08 17:00  1h30m         1  2026-08-08 17:00\n");
  const auto request = suite_.Requests<intake::v1::ExtendWaveRequest>(IntakeMethod("ExtendWave")).at(0);
  EXPECT_EQ(request.name(), "surveys/teams/waves/2022");
  EXPECT_EQ(request.closes_at().seconds(), 1778252400);
  EXPECT_EQ(request.reason(), "op verzoek");
  EXPECT_FALSE(request.request_id().empty());
}

TEST_F(WaveTest, RefusesWhatIsNoMinute) {
  for (const char* until : {"2026-05-08", "7d", "tomorrow", "2026-02-30 09:00"}) {
    const Outcome outcome = Run({"wave", "extend", until});
    EXPECT_EQ(outcome.code, 2) << until;
    EXPECT_THAT(outcome.err, HasSubstr("is no minute on Dutch clocks")) << until;
  }
  EXPECT_TRUE(suite_.Requests<intake::v1::ExtendWaveRequest>(IntakeMethod("ExtendWave")).empty());
}

TEST_F(WaveTest, OpensAndCloses) {
  suite_.Answers<intake::v1::OpenWaveResponse>(IntakeMethod("OpenWave"), kWave);
  EXPECT_EQ(Run({"wave", "open", "--wave", "2022", "-o", "name"}).out, "surveys/teams/waves/2022\n");
  EXPECT_EQ(suite_.Requests<intake::v1::OpenWaveRequest>(IntakeMethod("OpenWave")).at(0).name(), "surveys/teams/waves/2022");
  suite_.Fails(IntakeMethod("CloseWave"),
               status::Error(absl::StatusCode::kFailedPrecondition, "WAVE_CLOSED", "the wave has closed before"));
  const Outcome closed = Run({"wave", "close", "--reason", "klaar"});
  EXPECT_NE(closed.code, 0);
  EXPECT_THAT(closed.err, HasSubstr("the wave has closed before"));
  EXPECT_EQ(suite_.Requests<intake::v1::CloseWaveRequest>(IntakeMethod("CloseWave")).at(0).reason(), "klaar");
}

TEST_F(WaveTest, ListsChanges) {
  suite_.Answers<intake::v1::ListWaveChangesResponse>(IntakeMethod("ListWaveChanges"), R"(
    changes { number: 1 changed_at { seconds: 1774000000 } kind: WAVE_CHANGE_KIND_SCHEDULED
              times { opens_at { seconds: 1774339200 } closes_at { seconds: 1777042800 } } }
    changes { number: 2 changed_at { seconds: 1777000000 } changed_by: "keys/abc" kind: WAVE_CHANGE_KIND_EXTENDED reason: "op verzoek"
              times { opens_at { seconds: 1774339200 } closes_at { seconds: 1778252400 } grace_period { seconds: 7200 } } })");
  EXPECT_EQ(Run({"wave", "changes", "-o", "csv"}).out,
            "changed,change,by,opens,closes,grace,reason\n"
            "2026-03-20 10:46,scheduled,,2026-03-24 09:00,2026-04-24 17:00,,\n"
            "2026-04-24 05:06,extended,keys/abc,2026-03-24 09:00,2026-05-08 17:00,2h,op verzoek\n");
}

}  // namespace
}  // namespace peiling::ctl::testing
