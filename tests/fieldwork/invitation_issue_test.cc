// Which invitations are issued, and in which of them a municipality is.
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/fieldwork/invitation_setting.h"

namespace peiling::fieldwork {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::ElementsAre;
using testing::IsEmpty;

class InvitationIssueTest : public InvitationSetting {
 protected:
  std::vector<std::string> Names() {
    std::vector<std::string> ids;
    EXPECT_TRUE(invitations_.ForEach(kWave, [&](const v1::Invitation& one) { ids.push_back(names::LastId(one.name())); }).ok());
    return ids;
  }
  std::map<std::string, std::string> Metadata(const absl::StatusOr<v1::IssueInvitationsResponse>& issued) {
    return status::Metadata(issued.status());
  }
};

TEST_F(InvitationIssueTest, AllOfTheFrameAreInvited) {
  const auto issued = Issue(IssueRequest({}, "all"));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(issued->issued(), 5);
  EXPECT_EQ(issued->unchanged(), 0);
  EXPECT_THAT(issued->without_contact(), ElementsAre("GM0004", "GM0005"));
  EXPECT_THAT(Names(), ElementsAre("GM0001", "GM0002", "GM0003", "GM0004", "GM0005"));

  const v1::Invitation invitation = Get("GM0001");
  EXPECT_EQ(invitation.name(), NameOf("GM0001"));
  EXPECT_THAT(invitation.municipalities(), ElementsAre("GM0001"));
  EXPECT_EQ(invitation.state(), v1::INVITATION_STATE_ISSUED);
  EXPECT_EQ(invitation.contact(), ContactOf("GM0001"));
  EXPECT_EQ(invitation.issue(), 1);
  EXPECT_EQ(calendar::FromProto(invitation.issued_at()), now_);
  EXPECT_EQ(invitation.etag(), "v1");
  EXPECT_EQ(invitation.response(), "");
  EXPECT_EQ(Get("GM0004").contact(), "");
}

TEST_F(InvitationIssueTest, WhoIsInvitedKeepsItsInvitation) {
  Invite("GM0002");
  const std::string token = TokenOf("GM0002");
  const auto issued = Issue(IssueRequest({}, "all"));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(issued->issued(), 4);
  EXPECT_EQ(issued->unchanged(), 1);
  EXPECT_EQ(Get("GM0002").etag(), "v1");
  EXPECT_TRUE(Holds(token));
}

TEST_F(InvitationIssueTest, JointOnesStandForAllTheirMunicipalitiesAndAllOthersGetTheirOwn) {
  const auto issued = Issue(IssueRequest({}, "all", {{"GM0004", "GM0002"}}));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(issued->issued(), 4);
  EXPECT_THAT(Names(), ElementsAre("GM0001", "GM0002", "GM0003", "GM0005"));
  EXPECT_THAT(Get("GM0002").municipalities(), ElementsAre("GM0002", "GM0004"));
  // The other has the contact.
  EXPECT_THAT(issued->without_contact(), ElementsAre("GM0005"));

  const auto again = Issue(IssueRequest({}, "again", {{"GM0002", "GM0004"}}));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->issued(), 0);
  EXPECT_EQ(again->unchanged(), 4);
}

TEST_F(InvitationIssueTest, OnlyJointOnesWhenToldSo) {
  const auto issued = Issue(IssueRequest({}, "joint", {{"GM0001", "GM0002"}}, true));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_THAT(Names(), ElementsAre("GM0001"));
}

TEST_F(InvitationIssueTest, NobodyOutsideTheFrameIsInvitedAndThenNobodyElseIsEither) {
  const auto issued = Issue(IssueRequest({"GM0001", "GM9999"}, "some", {{"GM0002", "GM0099"}}));
  EXPECT_EQ(status::Reason(issued.status()), "NOT_IN_FRAME");
  EXPECT_EQ(Metadata(issued)["municipalities"], "GM0099,GM9999");
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(InvitationIssueTest, WhoIsInvitedOtherwiseIsInNoJointOneUntilThatIsRevoked) {
  Invite("GM0002");
  const std::string old_token = TokenOf("GM0002");
  const auto refused = Issue(IssueRequest({}, "joint", {{"GM0002", "GM0003"}}, true));
  EXPECT_EQ(status::Reason(refused.status()), "INVITED_OTHERWISE");
  EXPECT_EQ(Metadata(refused)["municipalities"], "GM0002");

  ASSERT_TRUE(Revoke("GM0002", "revoke").ok());
  const auto issued = Issue(IssueRequest({}, "joint", {{"GM0002", "GM0003"}}, true));
  ASSERT_TRUE(issued.ok()) << issued.status();
  // Another invitation than the one that was revoked, and so another response.
  const v1::Invitation joint = Get("GM0002-2");
  EXPECT_THAT(joint.municipalities(), ElementsAre("GM0002", "GM0003"));
  EXPECT_EQ(joint.state(), v1::INVITATION_STATE_ISSUED);
  EXPECT_EQ(joint.contact(), ContactOf("GM0002"));
  EXPECT_FALSE(Holds(old_token));
  EXPECT_TRUE(Holds(TokenOf("GM0002-2")));
  EXPECT_THAT(Get("GM0002").municipalities(), ElementsAre("GM0002"));
  EXPECT_EQ(Get("GM0002").state(), v1::INVITATION_STATE_REVOKED);
}

TEST_F(InvitationIssueTest, AnInvitationIsForTheSameMunicipalitiesAlwaysAndComesBackForThem) {
  Invite("GM0001");
  ASSERT_TRUE(invitations_.MarkOpened(HolderOf("GM0001"), ResponseOf("GM0001")).ok());
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "colleague").ok());
  ASSERT_TRUE(HandOver("GM0001", "pietersen", "over").ok());
  const std::string alone = TokenOf("GM0001", "holder");
  ASSERT_TRUE(Revoke("GM0001", "revoke").ok());
  ASSERT_TRUE(Issue(IssueRequest({}, "joint", {{"GM0001", "GM0002"}}, true)).ok());
  EXPECT_EQ(Get("GM0001-2").response(), "");
  ASSERT_TRUE(Revoke("GM0001-2", "revoke joint").ok());
  ASSERT_TRUE(Issue(IssueRequest({}, "other", {{"GM0001", "GM0003"}}, true)).ok());
  EXPECT_THAT(Get("GM0001-3").municipalities(), ElementsAre("GM0001", "GM0003"));
  ASSERT_TRUE(Revoke("GM0001-3", "revoke other").ok());

  // What was filled in for it alone is there again, for nobody who was let in before.
  ASSERT_TRUE(Issue(IssueRequest({"GM0001"}, "alone")).ok());
  EXPECT_THAT(Names(), ElementsAre("GM0001", "GM0001-2", "GM0001-3"));
  const v1::Invitation back = Get("GM0001");
  EXPECT_EQ(back.state(), v1::INVITATION_STATE_OPENED);
  EXPECT_EQ(back.response(), ResponseOf("GM0001"));
  EXPECT_EQ(back.issue(), 3);
  EXPECT_EQ(back.contact(), ContactOf("GM0001"));
  EXPECT_FALSE(back.handed_over());
  EXPECT_THAT(*invitations_.LinkHolders(NameOf("GM0001")), IsEmpty());
  EXPECT_FALSE(Holds(alone));
  EXPECT_TRUE(Holds(TokenOf("GM0001")));
  // Numbers of colleagues are given once.
  EXPECT_EQ(InviteColleague("GM0001", "bakker", "next")->colleague().colleague(), "2");
  // Those it was in joint ones with are in none.
  const auto rest = Issue(IssueRequest({"GM0002", "GM0003"}, "rest"));
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->issued(), 2);
  EXPECT_THAT(Names(), ElementsAre("GM0001", "GM0001-2", "GM0001-3", "GM0002", "GM0003"));
}

TEST_F(InvitationIssueTest, AJointOneComesBackAsOneAfterItWasTakenApart) {
  ASSERT_TRUE(Issue(IssueRequest({}, "joint", {{"GM0001", "GM0002"}}, true)).ok());
  const std::string token = TokenOf("GM0001");
  ASSERT_TRUE(Revoke("GM0001", "revoke").ok());
  ASSERT_TRUE(Issue(IssueRequest({"GM0002"}, "apart")).ok());
  ASSERT_TRUE(Revoke("GM0002", "revoke second").ok());
  const auto again = Issue(IssueRequest({}, "again", {{"GM0001", "GM0002"}}, true));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->issued(), 1);
  EXPECT_EQ(Get("GM0001").state(), v1::INVITATION_STATE_ISSUED);
  EXPECT_FALSE(Holds(token));
  EXPECT_EQ(status::Reason(Reissue("GM0002", "back").status()), "INVITED_OTHERWISE");
}

TEST_F(InvitationIssueTest, AJointOneThatIsRevokedIsTakenApartByName) {
  ASSERT_TRUE(Issue(IssueRequest({}, "joint", {{"GM0001", "GM0002", "GM0003"}}, true)).ok());
  ASSERT_TRUE(Revoke("GM0001", "revoke").ok());
  // Whoever is not named stays where it was: it may be revoked on purpose.
  const auto all = Issue(IssueRequest({}, "all"));
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_THAT(Names(), ElementsAre("GM0001", "GM0004", "GM0005"));

  const auto second = Issue(IssueRequest({"GM0002"}, "second"));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->issued(), 1);
  EXPECT_THAT(Get("GM0002").municipalities(), ElementsAre("GM0002"));
  // What it left cannot come back as it was.
  const auto back = Reissue("GM0001", "back");
  EXPECT_EQ(status::Reason(back.status()), "INVITED_OTHERWISE");
  // The others were in what it left, and are in none now.
  const auto rest = Issue(IssueRequest({}, "rest"));
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->issued(), 2);
  EXPECT_THAT(Get("GM0001-2").municipalities(), ElementsAre("GM0001"));
  EXPECT_THAT(Names(), ElementsAre("GM0001", "GM0001-2", "GM0002", "GM0003", "GM0004", "GM0005"));
}

TEST_F(InvitationIssueTest, ARepeatGetsTheFirstAnswerAlsoWhenItIsTooLateForNewOnes) {
  const auto first = Issue(IssueRequest({}, "all"));
  ASSERT_TRUE(first.ok());
  now_ += absl::Hours(24 * 90);
  const absl::Status closed = status::Error(absl::StatusCode::kFailedPrecondition, "WAVE_CLOSED", "");
  const auto repeat = Issue(IssueRequest({}, "all"), closed);
  ASSERT_TRUE(repeat.ok()) << repeat.status();
  EXPECT_TRUE(MessageDifferencer::Equals(*first, *repeat));
  EXPECT_EQ(status::Reason(Issue(IssueRequest({}, "other"), closed).status()), "WAVE_CLOSED");
  EXPECT_EQ(status::Reason(Issue(IssueRequest({"GM0001"}, "all")).status()), "REQUEST_ID_REUSED");
}

TEST_F(InvitationIssueTest, ARepeatAfterALostAnswerSaysWhatTheFirstDid) {
  watched_.lose_answer = true;
  EXPECT_EQ(status::Reason(Issue(IssueRequest({}, "all")).status()), "STORAGE_UNAVAILABLE");
  const auto repeat = Issue(IssueRequest({}, "all"));
  ASSERT_TRUE(repeat.ok()) << repeat.status();
  EXPECT_EQ(repeat->issued(), 5);
}

TEST_F(InvitationIssueTest, WhoGotAContactMeanwhileGetsItOnTheInvitation) {
  ASSERT_TRUE(Issue(IssueRequest({}, "all")).ok());
  const std::string token = TokenOf("GM0004");
  contacts_.insert("GM0004");
  const auto again = Issue(IssueRequest({}, "again"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(again->without_contact(), ElementsAre("GM0005"));
  EXPECT_EQ(Get("GM0004").contact(), ContactOf("GM0004"));
  EXPECT_EQ(Get("GM0004").etag(), "v2");
  EXPECT_TRUE(Holds(token));
}

TEST_F(InvitationIssueTest, WhoHandedOverOrWasRevokedIsNotWithoutAContact) {
  ASSERT_TRUE(Issue(IssueRequest({"GM0004", "GM0005"}, "some")).ok());
  ASSERT_TRUE(HandOver("GM0004", "jansen", "over").ok());
  ASSERT_TRUE(Revoke("GM0005", "revoke").ok());
  const auto again = Issue(IssueRequest({"GM0004", "GM0005"}, "again"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->unchanged(), 2);
  EXPECT_THAT(again->without_contact(), IsEmpty());
}

TEST_F(InvitationIssueTest, AnErrorOfTheContactsIssuesNothing) {
  const auto find = [](const v1::Invitation&) -> absl::StatusOr<std::string> {
    return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "gone");
  };
  EXPECT_EQ(status::Reason(invitations_.Issue(IssueRequest({}, "all"), *frame_, find, absl::OkStatus()).status()), "STORAGE_UNAVAILABLE");
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(InvitationIssueTest, TheVersionGrowsWithEveryChangeAndWithNothingElse) {
  EXPECT_EQ(Version(), 0);
  ASSERT_TRUE(Issue(IssueRequest({}, "all")).ok());
  uint64_t version = Version();
  EXPECT_GT(version, 0);
  ASSERT_TRUE(Issue(IssueRequest({}, "again")).ok());
  EXPECT_EQ(Version(), version);
  const std::vector<std::function<absl::Status()>> changes = {
      [&] { return Reissue("GM0001", "1").status(); },
      [&] { return InviteColleague("GM0001", "jansen", "2").status(); },
      [&] { return Remove("GM0001", "1", "3").status(); },
      [&] { return HandOver("GM0001", "jansen", "4").status(); },
      [&] { return invitations_.MarkOpened(HolderOf("GM0001"), ResponseOf("GM0001")); },
      [&] { return invitations_.Escalate(NameOf("GM0002"), ContactOf("GM0002"), ""); },
      [&] { return Revoke("GM0001", "5").status(); },
      [&] { return invitations_.ErasePeople(kWave); }};
  for (size_t i = 0; i < changes.size(); ++i) {
    ASSERT_TRUE(changes[i]().ok()) << i;
    EXPECT_GT(Version(), version) << i;
    version = Version();
  }
}

}  // namespace
}  // namespace peiling::fieldwork
