// drafts: as a user runs them.
#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;

class DraftsTest : public SuiteTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
};

constexpr char kDraft[] = R"({ name: "surveys/teams/waves/2022/responses/GM0363" state: RESPONSE_STATE_STARTED municipalities: "GM0363"
  municipalities: "GM0394" etag: "12" answers { answers { question: "Q5" selection { codes: "ja" } } }
  municipality_answers { municipality: "GM0394" answers { question: "Q5" selection { codes: "nee" } } }
  issues { question: "Q22" message: "Beantwoord deze vraag." } completeness { asked: 3 answered: 1 } })";

TEST_F(DraftsTest, AreShownWithWhatDiffersAndWhatIsMissing) {
  suite_.Answers<intake::v1::GetDraftResponse>(DraftMethod("GetDraft"), std::string("draft ") + kDraft);
  const Outcome outcome = Run({"drafts", "show", "GM0363"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("GM0363 GM0394"));
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("Q5 +Ja"));
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("Q5 +GM0394 +Nee"));
  EXPECT_THAT(outcome.out, HasSubstr("Beantwoord deze vraag."));
  EXPECT_TRUE(suite_.Requests<intake::v1::GetDraftRequest>(DraftMethod("GetDraft")).at(0).validate());
}

TEST_F(DraftsTest, TheHistoryTellsWhoeverHoldsALinkFromWhoeverHeldItBefore) {
  suite_.Answers<intake::v1::ListDraftChangesResponse>(DraftMethod("ListDraftChanges"), R"(
    changes { etag: "1" changed_at { seconds: 1772000000 } changed_by: "surveys/teams/waves/2022/invitations/GM0363/issues/1"
              kind: DRAFT_CHANGE_KIND_SAVED answers { before { question: "Q5" } after { question: "Q5" selection { codes: "ja" } } } }
    changes { etag: "2" changed_at { seconds: 1772000001 } changed_by: "surveys/teams/waves/2022/invitations/GM0363/colleagues/2"
              kind: DRAFT_CHANGE_KIND_SAVED answers { personal: true before { question: "Q63" } after { question: "Q63" } } }
    changes { etag: "3" changed_at { seconds: 1772000002 } kind: DRAFT_CHANGE_KIND_ERASED reason: "verzoek" })");
  EXPECT_EQ(Run({"drafts", "history", "GM0363", "-o", "csv"}).out,
            "changed,change,by,question,municipality,before,after\n"
            "2026-02-25 07:13:20,saved,GM0363/issues/1,Q5,,,ja\n"
            "2026-02-25 07:13:21,saved,GM0363/colleagues/2,Q63,,(personal),(personal)\n"
            "2026-02-25 07:13:22,erased,,,,,verzoek\n");
}

TEST_F(DraftsTest, AreSubmittedAndOpenedAgain) {
  suite_.Answers<intake::v1::SubmitDraftResponse>(DraftMethod("SubmitDraft"),
                                                  R"(response { state: RESPONSE_STATE_SUBMITTED submitted_at { seconds: 1772000000 } })");
  suite_.Answers<intake::v1::ReopenDraftResponse>(DraftMethod("ReopenDraft"), std::string("draft ") + kDraft);
  EXPECT_THAT(Run({"drafts", "submit", "GM0363"}).out, HasSubstr("submitted"));
  EXPECT_EQ(Run({"drafts", "reopen", "GM0363", "-o", "name"}).out, "surveys/teams/waves/2022/responses/GM0363\n");
  suite_.Fails(DraftMethod("SubmitDraft"), status::Error(absl::StatusCode::kFailedPrecondition, "WAVE_CLOSED", "de peiling is gesloten"));
  const Outcome late = Run({"drafts", "submit", "GM0363"});
  EXPECT_NE(late.code, 0);
  EXPECT_THAT(late.err, HasSubstr("de peiling is gesloten"));
}

}  // namespace
}  // namespace peiling::ctl::testing
