// colleagues: as a user runs them.
#include "gmock/gmock.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::ElementsAre;

class ColleaguesTest : public SuiteTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
  static std::string Method(const std::string& name) { return FieldworkMethod("InvitationService/" + name); }
};

constexpr char kColleague[] = R"({ colleague: "2" full_name: "Bakker, B." email: "b@x.nl" sections: 2 sections: 3
  invited_at { seconds: 1772000000 } removed_at { seconds: 1772003600 } })";
constexpr char kResponse[] = "surveys/teams/waves/2022/responses/GM0363";

TEST_F(ColleaguesTest, AreListedWithThoseThatWereRemoved) {
  suite_.Answers<fieldwork::v1::ListColleaguesResponse>(Method("ListColleagues"), std::string("colleagues ") + kColleague);
  EXPECT_EQ(Run({"colleagues", "list", "GM0363", "-o", "csv"}).out,
            "colleague,full_name,email,sections,invited,opened,removed\n"
            "2,\"Bakker, B.\",b@x.nl,2 3,2026-02-25 07:13,,2026-02-25 08:13\n");
  EXPECT_EQ(suite_.Requests<fieldwork::v1::ListColleaguesRequest>(Method("ListColleagues")).at(0).response(), kResponse);
}

TEST_F(ColleaguesTest, AreInvitedForSections) {
  suite_.Answers<fieldwork::v1::InviteColleagueResponse>(Method("InviteColleague"),
                                                         std::string(R"(link: "https://p/x" colleague )") + kColleague);
  const Outcome outcome =
      Run({"colleagues", "invite", "GM0363", "--full-name", "Bakker, B.", "--email", "b@x.nl", "--section", "2", "--section", "3"});
  EXPECT_EQ(outcome.out, "https://p/x\n") << outcome.err;
  const auto request = suite_.Requests<fieldwork::v1::InviteColleagueRequest>(Method("InviteColleague")).at(0);
  EXPECT_EQ(request.response(), kResponse);
  EXPECT_EQ(request.full_name(), "Bakker, B.");
  EXPECT_THAT(request.sections(), ElementsAre(2, 3));
}

TEST_F(ColleaguesTest, LoseTheirLink) {
  suite_.Answers<fieldwork::v1::RemoveColleagueResponse>(Method("RemoveColleague"), std::string("colleague ") + kColleague);
  EXPECT_EQ(Run({"colleagues", "remove", "GM0363", "2"}).code, 0);
  EXPECT_EQ(suite_.Requests<fieldwork::v1::RemoveColleagueRequest>(Method("RemoveColleague")).at(0).colleague(), "2");
}

TEST_F(ColleaguesTest, TakeADraftOver) {
  suite_.Answers<fieldwork::v1::HandOverResponse>(
      Method("HandOver"), R"(invitation { name: "surveys/teams/waves/2022/invitations/GM0363" issue: 2 handed_over: true })");
  EXPECT_EQ(Run({"colleagues", "hand-over", "GM0363", "--full-name", "Bakker, B.", "--email", "b@x.nl"}).code, 0);
  const auto request = suite_.Requests<fieldwork::v1::HandOverRequest>(Method("HandOver")).at(0);
  EXPECT_EQ(request.response(), kResponse);
  EXPECT_EQ(request.email(), "b@x.nl");
  EXPECT_EQ(Run({"colleagues", "hand-over", "GM0363", "--full-name", "Bakker, B."}).code, 2);
}

}  // namespace
}  // namespace peiling::ctl::testing
