// invitations: as a user runs them.
#include "gmock/gmock.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kInvitation[] = R"({ name: "surveys/teams/waves/2022/invitations/GM0363" municipalities: "GM0363" municipalities: "GM0394"
  state: INVITATION_STATE_OPENED contact: "municipalities/GM0363/contacts/3f2a" issue: 2 issued_at { seconds: 1772000000 }
  opened_at { seconds: 1772003600 } })";

class InvitationsTest : public SuiteTest {
 protected:
  InvitationsTest() {
    suite_.Answers<fieldwork::v1::ListInvitationsResponse>(Method("ListInvitations"), std::string("invitations ") + kInvitation);
  }
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
  static std::string Method(const std::string& name) { return FieldworkMethod("InvitationService/" + name); }
};

TEST_F(InvitationsTest, AreIssuedForSomeAndForSomeTogether) {
  suite_.Answers<fieldwork::v1::IssueInvitationsResponse>(Method("IssueInvitations"),
                                                          R"(issued: 2 unchanged: 1 without_contact: "GM0307")");
  const Outcome outcome = Run({"invitations", "issue", "GM0307", "--joint", "GM0363,GM0394"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("GM0307"));
  EXPECT_THAT(outcome.err, HasSubstr("nobody to write to"));
  const auto request = suite_.Requests<fieldwork::v1::IssueInvitationsRequest>(Method("IssueInvitations")).at(0);
  EXPECT_EQ(request.parent(), "surveys/teams/waves/2022");
  EXPECT_THAT(request.municipalities(), ElementsAre("GM0307"));
  EXPECT_THAT(request.joint(0).municipalities(), ElementsAre("GM0363", "GM0394"));
}

TEST_F(InvitationsTest, AreListedByState) {
  EXPECT_EQ(Run({"invitations", "list", "--state", "opened", "-o", "csv"}).out,
            "invitation,municipalities,state,contact,issued,opened\n"
            "GM0363,GM0363 GM0394,opened,3f2a,2026-02-25 07:13,2026-02-25 08:13\n");
  EXPECT_EQ(suite_.Requests<fieldwork::v1::ListInvitationsRequest>(Method("ListInvitations")).at(0).state(),
            fieldwork::v1::INVITATION_STATE_OPENED);
}

TEST_F(InvitationsTest, ANewLinkIsOnOutputAloneWithAWarningBesideIt) {
  suite_.Answers<fieldwork::v1::ReissueInvitationResponse>(
      Method("ReissueInvitation"), std::string(R"(link: "https://peiling.example/peiling-uitnodiging_x" invitation )") + kInvitation);
  const Outcome outcome = Run({"invitations", "reissue", "GM0363", "--contact", "GM0394/7b"});
  EXPECT_EQ(outcome.out, "https://peiling.example/peiling-uitnodiging_x\n") << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("whoever has this link"));
  const auto request = suite_.Requests<fieldwork::v1::ReissueInvitationRequest>(Method("ReissueInvitation")).at(0);
  EXPECT_EQ(request.name(), "surveys/teams/waves/2022/invitations/GM0363");
  EXPECT_EQ(request.contact(), "municipalities/GM0394/contacts/7b");
  // One of several that are named by the same municipality, as the list shows it.
  ASSERT_EQ(Run({"invitations", "reissue", "GM0363-2"}).code, 0);
  EXPECT_EQ(suite_.Requests<fieldwork::v1::ReissueInvitationRequest>(Method("ReissueInvitation")).at(1).name(),
            "surveys/teams/waves/2022/invitations/GM0363-2");
}

TEST_F(InvitationsTest, AreShownAndRevoked) {
  suite_.Answers<fieldwork::v1::GetInvitationResponse>(Method("GetInvitation"), std::string("invitation ") + kInvitation);
  EXPECT_THAT(Run({"invitations", "show", "GM0363"}).out, HasSubstr("municipalities/GM0363/contacts/3f2a"));
  suite_.Answers<fieldwork::v1::RevokeInvitationResponse>(Method("RevokeInvitation"), std::string("invitation ") + kInvitation);
  EXPECT_EQ(Run({"invitations", "revoke", "GM0363", "--reason", "doet niet mee"}).code, 0);
  EXPECT_EQ(suite_.Requests<fieldwork::v1::RevokeInvitationRequest>(Method("RevokeInvitation")).at(0).reason(), "doet niet mee");
}

TEST_F(InvitationsTest, AMunicipalityMeansTheInvitationItAnswersWith) {
  suite_.Answers<fieldwork::v1::ListInvitationsResponse>(Method("ListInvitations"), R"(
    invitations { name: "surveys/teams/waves/2022/invitations/GM0363" municipalities: "GM0363" municipalities: "GM0394"
                  state: INVITATION_STATE_REVOKED }
    invitations { name: "surveys/teams/waves/2022/invitations/GM0363-2" municipalities: "GM0363" state: INVITATION_STATE_ISSUED })");
  const auto meant = [&](const std::string& text) {
    Run({"invitations", "revoke", text});
    return suite_.Requests<fieldwork::v1::RevokeInvitationRequest>(Method("RevokeInvitation")).back().name();
  };
  EXPECT_EQ(meant("GM0363"), "surveys/teams/waves/2022/invitations/GM0363-2");
  // Of one that is in none now, the last there was.
  EXPECT_EQ(meant("GM0394"), "surveys/teams/waves/2022/invitations/GM0363");
  EXPECT_EQ(meant("surveys/teams/waves/2022/invitations/GM0363"), "surveys/teams/waves/2022/invitations/GM0363");
  const Outcome nobody = Run({"invitations", "revoke", "GM0014"});
  EXPECT_EQ(nobody.code, 3);
  EXPECT_THAT(nobody.err, HasSubstr("GM0014 is not invited"));
}

}  // namespace
}  // namespace peiling::ctl::testing
