// Colleagues, and handing over.
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/fieldwork/invitation_setting.h"

namespace peiling::fieldwork {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class InvitationColleagueTest : public InvitationSetting {
 protected:
  InvitationColleagueTest() { Invite("GM0001"); }

  v1::ListColleaguesResponse List(bool with_addresses = true) {
    v1::ListColleaguesRequest request;
    request.set_response(ResponseOf("GM0001"));
    auto listed = invitations_.ListColleagues(request, {}, with_addresses);
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.ok() ? *listed : v1::ListColleaguesResponse();
  }
  std::vector<LinkHolder> Holders() {
    auto holders = invitations_.LinkHolders(NameOf("GM0001"));
    EXPECT_TRUE(holders.ok()) << holders.status();
    return holders.ok() ? *holders : std::vector<LinkHolder>();
  }
};

TEST_F(InvitationColleagueTest, AreInvitedWithALinkOfTheirOwn) {
  const auto invited = invitations_.InviteColleague(ColleagueRequest("GM0001", "jansen", "1", {4, 2, 4}), {}, absl::OkStatus());
  ASSERT_TRUE(invited.ok()) << invited.status();
  EXPECT_EQ(invited->colleague().colleague(), "1");
  EXPECT_EQ(invited->colleague().full_name(), "jansen");
  EXPECT_EQ(invited->colleague().email(), "jansen@example.nl");
  EXPECT_THAT(invited->colleague().sections(), ElementsAre(2, 4));
  EXPECT_EQ(calendar::FromProto(invited->colleague().invited_at()), now_);
  const auto rights = invitations_.Verify(TokenIn(invited->link()));
  ASSERT_TRUE(rights.ok()) << rights.status();
  EXPECT_EQ(rights->colleague, "1");
  EXPECT_EQ(rights->invitation.name(), NameOf("GM0001"));
  EXPECT_THAT(rights->sections, ElementsAre(2, 4));
  EXPECT_TRUE(Holds(TokenOf("GM0001")));

  const auto second = InviteColleague("GM0001", "pietersen", "2");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->colleague().colleague(), "2");
  const auto listed = List();
  ASSERT_EQ(listed.colleagues_size(), 2);
  EXPECT_TRUE(MessageDifferencer::Equals(listed.colleagues(0), invited->colleague()));
  EXPECT_EQ(listed.colleagues(1).email(), "pietersen@example.nl");
  const auto holders = Holders();
  ASSERT_EQ(holders.size(), 2);
  EXPECT_EQ(holders[0].id, "1");
  EXPECT_EQ(holders[0].full_name, "jansen");
  EXPECT_EQ(holders[0].email, "jansen@example.nl");
  EXPECT_EQ(holders[0].since, now_);
  EXPECT_NE(holders[0].mail_id, holders[1].mail_id);
}

TEST_F(InvitationColleagueTest, AreListedWithoutAddressesWhenTheCallerIsOne) {
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "1").ok());
  const auto listed = List(false);
  ASSERT_EQ(listed.colleagues_size(), 1);
  EXPECT_EQ(listed.colleagues(0).full_name(), "jansen");
  EXPECT_EQ(listed.colleagues(0).email(), "");
}

TEST_F(InvitationColleagueTest, AreInvitedOnceHoweverOftenTheRequestComes) {
  const auto first = InviteColleague("GM0001", "jansen", "1");
  ASSERT_TRUE(first.ok());
  now_ += absl::Minutes(1);
  const auto repeat = InviteColleague("GM0001", "jansen", "1");
  ASSERT_TRUE(repeat.ok()) << repeat.status();
  EXPECT_TRUE(MessageDifferencer::Equals(*first, *repeat)) << repeat->DebugString();
  EXPECT_EQ(List().colleagues_size(), 1);
  EXPECT_EQ(status::Reason(InviteColleague("GM0001", "pietersen", "1").status()), "REQUEST_ID_REUSED");

  ASSERT_TRUE(Remove("GM0001", "1", "remove").ok());
  const auto late = InviteColleague("GM0001", "jansen", "1");
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_EQ(late->link(), "");
}

TEST_F(InvitationColleagueTest, LoseTheirLinkWhenRemovedAndNobodyElseDoes) {
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "1").ok());
  ASSERT_TRUE(InviteColleague("GM0001", "pietersen", "2").ok());
  const std::string first = TokenOf("GM0001", "1");
  const std::string second = TokenOf("GM0001", "2");
  now_ += absl::Minutes(1);
  const auto removed = Remove("GM0001", "1", "remove");
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(removed->colleague().full_name(), "jansen");
  EXPECT_EQ(calendar::FromProto(removed->colleague().removed_at()), now_);
  EXPECT_FALSE(Holds(first));
  EXPECT_TRUE(Holds(second));
  EXPECT_TRUE(Holds(TokenOf("GM0001")));
  EXPECT_EQ(status::Reason(invitations_.LinkOfHolder(NameOf("GM0001"), "1").status()), "COLLEAGUE_NOT_FOUND");
  EXPECT_EQ(Holders().size(), 1);
  EXPECT_EQ(List().colleagues_size(), 2);

  const auto again = Remove("GM0001", "1", "remove again");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(MessageDifferencer::Equals(again->colleague(), removed->colleague()));
  EXPECT_EQ(status::Reason(Remove("GM0001", "3", "remove third").status()), "COLLEAGUE_NOT_FOUND");
  // The number is not given again, nor the link.
  const auto third = InviteColleague("GM0001", "jansen", "3");
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->colleague().colleague(), "3");
  EXPECT_FALSE(Holds(first));
}

TEST_F(InvitationColleagueTest, AreNotTooMany) {
  for (int i = 1; i <= InvitationStore::kMaxColleagues; ++i) ASSERT_TRUE(InviteColleague("GM0001", "jansen", absl::StrCat(i)).ok());
  now_ += absl::Hours(24);
  const auto refused = InviteColleague("GM0001", "jansen", "one more");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(refused.status()), "TOO_MANY_COLLEAGUES");
  // Whoever is removed makes room, but not for ever.
  for (int i = 1; i <= InvitationStore::kMaxColleaguesEver - InvitationStore::kMaxColleagues; ++i) {
    if (i % InvitationStore::kMaxColleaguesADay == 0) now_ += absl::Hours(24);
    ASSERT_TRUE(Remove("GM0001", absl::StrCat(i), absl::StrCat("remove ", i)).ok());
    ASSERT_TRUE(InviteColleague("GM0001", "jansen", absl::StrCat("next ", i)).ok()) << i;
  }
  now_ += absl::Hours(24);
  ASSERT_TRUE(Remove("GM0001", "201", "remove last").ok());
  EXPECT_EQ(status::Reason(InviteColleague("GM0001", "jansen", "too many").status()), "TOO_MANY_COLLEAGUES");
}

TEST_F(InvitationColleagueTest, AreNotInvitedByTheHundredInADay) {
  now_ = *calendar::ParseLocalMinute("2026-03-24 23:59");
  for (int i = 1; i <= InvitationStore::kMaxColleaguesADay; ++i) {
    ASSERT_TRUE(InviteColleague("GM0001", "jansen", absl::StrCat(i)).ok());
    ASSERT_TRUE(Remove("GM0001", absl::StrCat(i), absl::StrCat("remove ", i)).ok());
  }
  const auto refused = InviteColleague("GM0001", "jansen", "one more");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(refused.status()), "TOO_MANY_COLLEAGUES");
  now_ += absl::Minutes(1);
  EXPECT_TRUE(InviteColleague("GM0001", "jansen", "one more").ok());
}

TEST_F(InvitationColleagueTest, OpenTheirLinkAndNotTheHolders) {
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "1").ok());
  ASSERT_TRUE(invitations_.MarkOpened({.invitation = NameOf("GM0001"), .colleague = "1"}, ResponseOf("GM0001")).ok());
  EXPECT_EQ(Get("GM0001").state(), v1::INVITATION_STATE_ISSUED);
  EXPECT_EQ(Get("GM0001").response(), ResponseOf("GM0001"));
  EXPECT_EQ(calendar::FromProto(List().colleagues(0).opened_at()), now_);
  ASSERT_TRUE(Remove("GM0001", "1", "remove").ok());
  EXPECT_EQ(status::Reason(invitations_.MarkOpened({.invitation = NameOf("GM0001"), .colleague = "1"}, "")), "TOKEN_UNKNOWN");
}

TEST_F(InvitationColleagueTest, AreNotInvitedToWhatWasRevokedOrClosed) {
  const absl::Status closed = status::Error(absl::StatusCode::kFailedPrecondition, "WAVE_CLOSED", "");
  EXPECT_EQ(status::Reason(invitations_.InviteColleague(ColleagueRequest("GM0001", "jansen", "1"), {}, closed).status()), "WAVE_CLOSED");
  EXPECT_EQ(status::Reason(invitations_.HandOver(HandOverRequest("GM0001", "jansen", "2"), {}, closed).status()), "WAVE_CLOSED");
  ASSERT_TRUE(Revoke("GM0001", "revoke").ok());
  EXPECT_EQ(status::Reason(InviteColleague("GM0001", "jansen", "3").status()), "INVITATION_REVOKED");
  EXPECT_EQ(status::Reason(HandOver("GM0001", "jansen", "4").status()), "INVITATION_REVOKED");
}

// --- Links that were replaced, and those who still are let in with them for a moment.

TEST_F(InvitationColleagueTest, NobodyManagesThemWithALinkThatWasReplacedAlsoWhileTheyDo) {
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "0").ok());
  const LinkId old = HolderOf("GM0001");
  const std::vector<std::function<absl::Status(const LinkId&)>> acts = {
      [&](const LinkId& by) { return invitations_.InviteColleague(ColleagueRequest("GM0001", "bakker", "1"), by, {}).status(); },
      [&](const LinkId& by) {
        v1::RemoveColleagueRequest request;
        request.set_response(ResponseOf("GM0001"));
        request.set_colleague("1");
        request.set_request_id("2");
        return invitations_.RemoveColleague(request, by).status();
      },
      [&](const LinkId& by) { return invitations_.HandOver(HandOverRequest("GM0001", "dekker", "3"), by, {}).status(); },
      [&](const LinkId& by) {
        v1::ListColleaguesRequest request;
        request.set_response(ResponseOf("GM0001"));
        return invitations_.ListColleagues(request, by, true).status();
      }};
  InvitationStore other = MakeInvitations(*store_, *vault_);
  v1::ReissueInvitationRequest reissue;
  reissue.set_name(NameOf("GM0001"));
  reissue.set_request_id("replace");
  // Between what the first reads and its commit.
  watched_.before_commit = [&] { EXPECT_TRUE(other.Reissue(reissue, absl::OkStatus()).ok()); };
  for (const auto& act : acts) {
    const absl::Status refused = act(old);
    EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(status::Reason(refused), "NOT_THE_HOLDER");
  }
  EXPECT_EQ(List().colleagues_size(), 1);
  EXPECT_FALSE(List().colleagues(0).has_removed_at());
  EXPECT_EQ(Get("GM0001").issue(), 2);
  EXPECT_EQ(status::Reason(invitations_.RightsOf(old).status()), "TOKEN_UNKNOWN");
  EXPECT_EQ(status::Reason(invitations_.MarkOpened(old, ResponseOf("GM0001"))), "TOKEN_UNKNOWN");
  EXPECT_EQ(Get("GM0001").state(), v1::INVITATION_STATE_ISSUED);
  const LinkId present = HolderOf("GM0001");
  for (const auto& act : {acts[0], acts[1], acts[3], acts[2]}) EXPECT_TRUE(act(present).ok());
}

TEST_F(InvitationColleagueTest, EveryBearerHasRequestIdsOfTheirOwn) {
  Invite("GM0002");
  const auto first = invitations_.InviteColleague(ColleagueRequest("GM0001", "jansen", "1"), HolderOf("GM0001"), {});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto other = invitations_.InviteColleague(ColleagueRequest("GM0002", "bakker", "1"), HolderOf("GM0002"), {});
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_TRUE(InviteColleague("GM0001", "pietersen", "1").ok());
  EXPECT_EQ(status::Reason(invitations_.InviteColleague(ColleagueRequest("GM0001", "x", "1"), HolderOf("GM0001"), {}).status()),
            "REQUEST_ID_REUSED");
  EXPECT_EQ(invitations_.InviteColleague(ColleagueRequest("GM0001", "jansen", "1"), HolderOf("GM0001"), {})->link(), first->link());
}

// --- Handing over.

TEST_F(InvitationColleagueTest, WhoTakesOverIsTheHolderAndNobodyElseIs) {
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "1").ok());
  const std::string colleague = TokenOf("GM0001", "1");
  const std::string old_token = TokenOf("GM0001");
  now_ += absl::Minutes(1);
  const auto over = HandOver("GM0001", "pietersen", "over");
  ASSERT_TRUE(over.ok()) << over.status();
  EXPECT_TRUE(over->invitation().handed_over());
  EXPECT_EQ(over->invitation().contact(), "");
  EXPECT_EQ(over->invitation().issue(), 2);
  EXPECT_FALSE(Holds(old_token));
  EXPECT_TRUE(Holds(colleague));
  const auto rights = invitations_.Verify(TokenOf("GM0001", "holder"));
  ASSERT_TRUE(rights.ok()) << rights.status();
  EXPECT_EQ(rights->colleague, "");
  // Mail to the contact that was leased before must not bring the new link.
  EXPECT_EQ(status::Reason(invitations_.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001")).status()), "INVITATION_REVOKED");

  const auto holders = Holders();
  ASSERT_EQ(holders.size(), 2);
  EXPECT_EQ(holders[0].id, "holder");
  EXPECT_EQ(holders[0].full_name, "pietersen");
  EXPECT_EQ(holders[0].email, "pietersen@example.nl");
  EXPECT_EQ(holders[0].since, now_);

  ASSERT_TRUE(HandOver("GM0001", "dekker", "over again").ok());
  const auto next = Holders();
  EXPECT_EQ(next[0].full_name, "dekker");
  EXPECT_NE(next[0].mail_id, holders[0].mail_id);
  // A repeat of the first changes nothing any more.
  const auto repeat = HandOver("GM0001", "pietersen", "over");
  ASSERT_TRUE(repeat.ok()) << repeat.status();
  EXPECT_TRUE(MessageDifferencer::Equals(*repeat, *over));
  EXPECT_EQ(Holders()[0].full_name, "dekker");
  EXPECT_EQ(status::Reason(HandOver("GM0001", "bakker", "over").status()), "REQUEST_ID_REUSED");
}

TEST_F(InvitationColleagueTest, IsNotHandedOnWithoutEndInADay) {
  now_ = *calendar::ParseLocalMinute("2026-03-24 23:59");
  for (int i = 1; i <= InvitationStore::kMaxHandOversADay; ++i) ASSERT_TRUE(HandOver("GM0001", "pietersen", absl::StrCat(i)).ok());
  const auto refused = HandOver("GM0001", "dekker", "one more");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(refused.status()), "TOO_MANY_HAND_OVERS");
  EXPECT_TRUE(HandOver("GM0001", "pietersen", "1").ok());
  now_ += absl::Minutes(1);
  EXPECT_TRUE(HandOver("GM0001", "dekker", "one more").ok());
}

TEST_F(InvitationColleagueTest, WithoutAHandOverThereIsNoHolderToMail) {
  EXPECT_THAT(Holders(), IsEmpty());
  EXPECT_EQ(status::Reason(invitations_.LinkOfHolder(NameOf("GM0001"), "holder").status()), "COLLEAGUE_NOT_FOUND");
}

TEST_F(InvitationColleagueTest, ANewLinkOfWhoTookOverIsMailedAnew) {
  ASSERT_TRUE(HandOver("GM0001", "pietersen", "over").ok());
  const std::string mail_id = Holders()[0].mail_id;
  const auto reissued = Reissue("GM0001", "again");
  ASSERT_TRUE(reissued.ok());
  EXPECT_TRUE(reissued->invitation().handed_over());
  EXPECT_NE(Holders()[0].mail_id, mail_id);
  EXPECT_EQ(TokenIn(reissued->link()), TokenOf("GM0001", "holder"));
}

// --- Erasing.

TEST_F(InvitationColleagueTest, WhoHoldsLinksIsForgottenForEver) {
  Invite("GM0002");
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "1").ok());
  ASSERT_TRUE(InviteColleague("GM0001", "bakker", "2").ok());
  ASSERT_TRUE(HandOver("GM0001", "pietersen", "over").ok());
  ASSERT_TRUE(Remove("GM0001", "2", "remove").ok());
  const std::vector<std::string> tokens = {TokenOf("GM0001", "1"), TokenOf("GM0001", "holder"), TokenOf("GM0002")};
  now_ += absl::Hours(24 * 90);
  ASSERT_TRUE(invitations_.ErasePeople(kWave).ok());
  const auto listed = List();
  ASSERT_EQ(listed.colleagues_size(), 2);
  for (const v1::Colleague& colleague : listed.colleagues()) {
    EXPECT_EQ(colleague.full_name(), "");
    EXPECT_EQ(colleague.email(), "");
    EXPECT_TRUE(colleague.has_removed_at());
  }
  EXPECT_THAT(Holders(), IsEmpty());
  for (const std::string& token : tokens) EXPECT_FALSE(Holds(token));
  EXPECT_TRUE(Get("GM0001").handed_over());
  EXPECT_EQ(Get("GM0002").contact(), ContactOf("GM0002"));
  // A repeat of an old request brings nobody back.
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "1").ok());
  EXPECT_EQ(List().colleagues(0).full_name(), "");
  EXPECT_THAT(AllBytes(), Not(HasSubstr("jansen")));

  const uint64_t version = Version();
  ASSERT_TRUE(invitations_.ErasePeople(kWave).ok());
  EXPECT_EQ(Version(), version);
}

TEST_F(InvitationColleagueTest, SomebodyIsForgottenByTheirAddressAndNobodyElse) {
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "1").ok());
  ASSERT_TRUE(InviteColleague("GM0001", "bakker", "2").ok());
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "3").ok());
  ASSERT_TRUE(Remove("GM0001", "1", "remove").ok());
  Invite("GM0002");
  ASSERT_TRUE(HandOver("GM0002", "jansen", "over").ok());
  const std::vector<std::string> ended = {TokenOf("GM0001", "3"), TokenOf("GM0002", "holder")};
  const std::vector<std::string> stay = {TokenOf("GM0001"), TokenOf("GM0001", "2")};
  ASSERT_TRUE(invitations_.ErasePerson("Jansen@EXAMPLE.nl").ok());
  for (const std::string& token : ended) EXPECT_FALSE(Holds(token));
  for (const std::string& token : stay) EXPECT_TRUE(Holds(token));
  const auto listed = List();
  EXPECT_EQ(listed.colleagues(0).full_name(), "");
  EXPECT_EQ(listed.colleagues(1).full_name(), "bakker");
  EXPECT_EQ(listed.colleagues(2).email(), "");
  EXPECT_TRUE(listed.colleagues(2).has_removed_at());
  EXPECT_THAT(*invitations_.LinkHolders(NameOf("GM0002")), IsEmpty());
  const uint64_t version = Version();
  ASSERT_TRUE(invitations_.ErasePerson("jansen@example.nl").ok());
  EXPECT_EQ(Version(), version);
  // Whoever is sent there next is another.
  ASSERT_TRUE(Reissue("GM0002", "back", ContactOf("GM0002")).ok());
  EXPECT_TRUE(Holds(TokenOf("GM0002")));
}

// --- What cannot be opened.

TEST_F(InvitationColleagueTest, WhoCannotBeReadIsAsGoodAsErasedAndStandsInNobodysWay) {
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "1").ok());
  ASSERT_TRUE(InviteColleague("GM0001", "bakker", "2").ok());
  ASSERT_TRUE(HandOver("GM0001", "pietersen", "over").ok());
  // Of the first colleague and the holder something else stands there.
  const std::string key = InvitationKey(NameOf("GM0001"));
  const auto document = *store_->Get(kWave, key);
  stored::StoredInvitation stored;
  ASSERT_TRUE(stored.ParseFromString(document->value));
  stored.mutable_colleagues(0)->set_person(stored.colleagues(1).person());
  stored.mutable_holder()->back() ^= 1;
  ASSERT_TRUE(store_->Commit({.partition = kWave, .writes = {{.key = key, .value = stored.SerializeAsString()}}}).ok());

  testing::internal::CaptureStderr();
  for (int i = 0; i < 2; ++i) {
    const auto holders = Holders();
    ASSERT_EQ(holders.size(), 1);
    EXPECT_EQ(holders[0].full_name, "bakker");
    const auto listed = List();
    ASSERT_EQ(listed.colleagues_size(), 2);
    EXPECT_EQ(listed.colleagues(0).full_name(), "");
    EXPECT_EQ(listed.colleagues(1).full_name(), "bakker");
  }
  const auto rotated = *vault::Vault::Make(absl::StrCat(vault::Vault::NewKey("b"), "\n", key_));
  ASSERT_TRUE(MakeInvitations(*store_, *rotated).ResealHolders(kWave).ok());
  const std::string logged = testing::internal::GetCapturedStderr();
  // Once of each, in each of the two.
  EXPECT_EQ(std::count(logged.begin(), logged.end(), '\n'), 4) << logged;
  EXPECT_THAT(logged, Not(HasSubstr("pietersen")));
}

}  // namespace
}  // namespace peiling::fieldwork
