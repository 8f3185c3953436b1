// Links of invitations, and how they end.
#include "services/fieldwork/invitations/invitation_store.h"

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "tests/fieldwork/invitation_setting.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class InvitationStoreTest : public InvitationSetting {
 protected:
  std::vector<std::string> Listed(v1::InvitationState state, bool over, int page_size = 0) {
    v1::ListInvitationsRequest request;
    request.set_parent(kWave);
    request.set_state(state);
    request.set_page_size(page_size);
    std::vector<std::string> ids;
    do {
      status::BadRequest bad;
      const paging::Page page = paging::ReadPage(request, bad);
      EXPECT_TRUE(bad.empty());
      const auto listed = invitations_.List(request, page, over);
      EXPECT_TRUE(listed.ok()) << listed.status();
      for (const v1::Invitation& one : listed->invitations()) ids.push_back(names::LastId(one.name()));
      request.set_page_token(listed->next_page_token());
    } while (!request.page_token().empty());
    return ids;
  }
};

TEST_F(InvitationStoreTest, ALinkLetsItsBearerInWithOneReadOfTheStore) {
  Invite("GM0001");
  const std::string token = TokenOf("GM0001");
  watched_.reads = 0;
  const auto rights = invitations_.Verify(token);
  ASSERT_TRUE(rights.ok()) << rights.status();
  EXPECT_EQ(watched_.reads, 1);
  EXPECT_EQ(rights->invitation.name(), NameOf("GM0001"));
  EXPECT_EQ(rights->colleague, "");
  EXPECT_THAT(rights->sections, IsEmpty());
}

TEST_F(InvitationStoreTest, WhatIsNoLinkCostsAsMuchAndLearnsNothing) {
  Invite("GM0001");
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "colleague").ok());
  const std::string token = TokenOf("GM0001");
  const std::string signature = token.substr(token.size() - 43);
  const auto of = [&](const LinkId& id) {
    const std::string other = MakeToken(id, "", std::string(32, 'x'));
    return other.substr(0, other.size() - 43) + signature;
  };
  const std::vector<std::string> guesses = {
      of({.invitation = NameOf("GM0002")}),
      of({.invitation = "surveys/vn/waves/1999/invitations/GM0001"}),
      of({.invitation = NameOf("GM0001"), .colleague = "1"}),
      of({.invitation = NameOf("GM0001"), .colleague = "2"}),
      MakeToken({.invitation = NameOf("GM0001")}, "", std::string(32, 'x')),
  };
  std::set<std::string> answers;
  for (const std::string& guess : guesses) {
    watched_.reads = 0;
    const auto rights = invitations_.Verify(guess);
    EXPECT_EQ(watched_.reads, 1) << guess;
    EXPECT_EQ(rights.status().code(), absl::StatusCode::kUnauthenticated);
    answers.insert(rights.status().ToString());
  }
  answers.insert(invitations_.Verify("peiling-uitnodiging_x").status().ToString());
  EXPECT_EQ(answers.size(), 1);
}

TEST_F(InvitationStoreTest, ATokenWithAnyBitChangedIsNone) {
  Invite("GM0001");
  const std::string token = TokenOf("GM0001");
  for (size_t bit = 0; bit < token.size() * 8; ++bit) {
    std::string changed = token;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(Holds(changed)) << bit;
  }
  EXPECT_TRUE(Holds(token));
}

TEST_F(InvitationStoreTest, TheStoreHasNoTokenAndNobodysNameOrAddress) {
  Invite("GM0001");
  const std::string replaced = TokenOf("GM0001");
  ASSERT_TRUE(Reissue("GM0001", "again").ok());
  const auto colleague = InviteColleague("GM0001", "vandenberg", "colleague");
  ASSERT_TRUE(colleague.ok());
  const std::string holder = TokenOf("GM0001");
  ASSERT_TRUE(HandOver("GM0001", "pietersen", "over").ok());
  ASSERT_TRUE(Remove("GM0001", "1", "remove").ok());
  const std::string bytes = AllBytes();
  for (const std::string& token : {replaced, holder, TokenIn(colleague->link()), TokenOf("GM0001", "holder")}) {
    const std::string signature = token.substr(token.size() - 43);
    std::string raw;
    ASSERT_TRUE(absl::WebSafeBase64Unescape(signature, &raw));
    EXPECT_THAT(bytes, Not(HasSubstr(signature)));
    EXPECT_THAT(bytes, Not(HasSubstr(raw)));
  }
  for (const char* const personal : {"vandenberg", "pietersen", "example.nl"}) EXPECT_THAT(bytes, Not(HasSubstr(personal)));
}

TEST_F(InvitationStoreTest, ANewLinkEndsTheOldOneAndNothingElse) {
  Invite("GM0001");
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "colleague").ok());
  const std::string old_token = TokenOf("GM0001");
  const std::string colleague = TokenOf("GM0001", "1");
  const auto reissued = Reissue("GM0001", "again");
  ASSERT_TRUE(reissued.ok()) << reissued.status();
  EXPECT_EQ(reissued->invitation().issue(), 2);
  EXPECT_EQ(reissued->invitation().contact(), ContactOf("GM0001"));
  EXPECT_EQ(reissued->invitation().etag(), Get("GM0001").etag());
  EXPECT_EQ(TokenIn(reissued->link()), TokenOf("GM0001"));
  EXPECT_FALSE(Holds(old_token));
  EXPECT_TRUE(Holds(TokenOf("GM0001")));
  EXPECT_TRUE(Holds(colleague));
}

TEST_F(InvitationStoreTest, ARepeatOfANewLinkHasItWhileItHolds) {
  Invite("GM0001");
  const auto first = Reissue("GM0001", "again");
  ASSERT_TRUE(first.ok());
  const auto repeat = Reissue("GM0001", "again");
  ASSERT_TRUE(repeat.ok()) << repeat.status();
  EXPECT_EQ(repeat->link(), first->link());
  EXPECT_EQ(repeat->invitation().issue(), 2);
  ASSERT_TRUE(Reissue("GM0001", "once more").ok());
  const auto late = Reissue("GM0001", "again");
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_EQ(late->link(), "");
  EXPECT_EQ(Get("GM0001").issue(), 3);
}

TEST_F(InvitationStoreTest, ANewLinkMayGoToAnotherContactAlsoAfterAHandOver) {
  Invite("GM0001");
  ASSERT_TRUE(HandOver("GM0001", "jansen", "over").ok());
  const std::string of_holder = TokenOf("GM0001", "holder");
  const auto reissued = Reissue("GM0001", "back", "municipalities/GM0001/contacts/b");
  ASSERT_TRUE(reissued.ok()) << reissued.status();
  EXPECT_FALSE(reissued->invitation().handed_over());
  EXPECT_EQ(reissued->invitation().contact(), "municipalities/GM0001/contacts/b");
  EXPECT_FALSE(Holds(of_holder));
  EXPECT_TRUE(Holds(TokenOf("GM0001")));
  EXPECT_THAT(*invitations_.LinkHolders(NameOf("GM0001")), IsEmpty());
}

TEST_F(InvitationStoreTest, TheLinkOfOneContactIsNotInTheMailOfAnother) {
  Invite("GM0001");
  const std::string next = "municipalities/GM0001/contacts/b";
  ASSERT_TRUE(invitations_.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001")).ok());
  EXPECT_EQ(status::Reason(invitations_.LinkOfContact(NameOf("GM0001"), next).status()), "INVITATION_REVOKED");
  // As when mail to the first was leased before the second got it.
  ASSERT_TRUE(Reissue("GM0001", "next", next).ok());
  EXPECT_EQ(status::Reason(invitations_.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001")).status()), "INVITATION_REVOKED");
  EXPECT_TRUE(invitations_.LinkOfContact(NameOf("GM0001"), next).ok());
}

TEST_F(InvitationStoreTest, NobodyElsesContactGetsTheLink) {
  Invite("GM0001");
  const std::string token = TokenOf("GM0001");
  const auto refused = Reissue("GM0001", "other", ContactOf("GM0002"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status::Reason(refused.status()), "CONTACT_NOT_FOUND");
  EXPECT_TRUE(Holds(token));
  ASSERT_TRUE(Issue(IssueRequest({}, "joint", {{"GM0002", "GM0003"}}, true)).ok());
  EXPECT_TRUE(Reissue("GM0002", "its own", ContactOf("GM0003")).ok());
}

TEST_F(InvitationStoreTest, TheSameLinkMadeTwiceHasTwoTokens) {
  // As in a copy of the store that has gone its own way.
  const auto copy = *storage::OpenStore("sqlite::memory:", "fieldwork");
  InvitationStore there = MakeInvitations(*copy, *vault_);
  Invite("GM0001");
  ASSERT_TRUE(Issue(there, IssueRequest({"GM0001"}, "issue GM0001")).ok());
  const auto link = there.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001"));
  ASSERT_TRUE(link.ok());
  EXPECT_NE(TokenIn(*link), TokenOf("GM0001"));
  EXPECT_FALSE(Holds(TokenIn(*link)));
}

TEST_F(InvitationStoreTest, RevokingEndsEveryLinkForGood) {
  Invite("GM0001");
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "colleague").ok());
  const std::string token = TokenOf("GM0001");
  const std::string colleague = TokenOf("GM0001", "1");
  const auto revoked = Revoke("GM0001", "revoke");
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->invitation().state(), v1::INVITATION_STATE_REVOKED);
  EXPECT_EQ(revoked->invitation().revocation_reason(), "dubbel");
  EXPECT_FALSE(Holds(token));
  EXPECT_FALSE(Holds(colleague));
  EXPECT_EQ(status::Reason(invitations_.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001")).status()), "INVITATION_REVOKED");
  EXPECT_EQ(status::Reason(invitations_.LinkOfHolder(NameOf("GM0001"), "1").status()), "INVITATION_REVOKED");
  EXPECT_THAT(*invitations_.LinkHolders(NameOf("GM0001")), IsEmpty());
  EXPECT_EQ(status::Reason(invitations_.RightsOf(HolderOf("GM0001")).status()), "TOKEN_UNKNOWN");

  const auto again = Revoke("GM0001", "revoke again");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->invitation().etag(), revoked->invitation().etag());

  // What is brought back has a new link, and no colleagues until they are invited anew.
  const auto back = Reissue("GM0001", "back");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->invitation().state(), v1::INVITATION_STATE_ISSUED);
  EXPECT_FALSE(back->invitation().has_revoked_at());
  EXPECT_FALSE(Holds(token));
  EXPECT_FALSE(Holds(colleague));
  EXPECT_TRUE(Holds(TokenIn(back->link())));
}

TEST_F(InvitationStoreTest, OpeningIsNotedOnceAndWithTheResponse) {
  Invite("GM0001");
  const LinkId id = HolderOf("GM0001");
  // Too late for a response.
  ASSERT_TRUE(invitations_.MarkOpened(id, "").ok());
  const absl::Time opened = now_;
  EXPECT_EQ(Get("GM0001").state(), v1::INVITATION_STATE_OPENED);
  EXPECT_EQ(Get("GM0001").response(), "");
  now_ += absl::Hours(1);
  ASSERT_TRUE(invitations_.MarkOpened(id, ResponseOf("GM0001")).ok());
  const uint64_t version = Version();
  ASSERT_TRUE(invitations_.MarkOpened(id, ResponseOf("GM0001")).ok());
  EXPECT_EQ(Version(), version);
  EXPECT_EQ(calendar::FromProto(Get("GM0001").opened_at()), opened);
  EXPECT_EQ(Get("GM0001").response(), ResponseOf("GM0001"));
}

TEST_F(InvitationStoreTest, IsInUseWheneverALinkIsMadeOrShown) {
  const auto last_use = [this] {
    absl::Time last = absl::InfinitePast();
    EXPECT_TRUE(invitations_.ForEachUse(kWave, [&](const InvitationUse& use) { last = std::max(last, use.last); }).ok());
    return last;
  };
  const std::vector<std::pair<std::string, std::function<absl::Status()>>> uses = {
      {"issued", [this] { return Issue(IssueRequest({"GM0001"}, "issue")).status(); }},
      {"opened", [this] { return invitations_.MarkOpened(HolderOf("GM0001"), ResponseOf("GM0001")); }},
      {"shown again", [this] { return invitations_.MarkOpened(HolderOf("GM0001"), ResponseOf("GM0001")); }},
      {"a new link", [this] { return Reissue("GM0001", "reissue").status(); }},
      {"a colleague", [this] { return InviteColleague("GM0001", "jansen", "colleague").status(); }},
      {"shown by a colleague",
       [this] { return invitations_.MarkOpened({.invitation = NameOf("GM0001"), .colleague = "1"}, ResponseOf("GM0001")); }},
      {"handed over", [this] { return HandOver("GM0001", "pietersen", "over").status(); }},
  };
  for (const auto& [what, use] : uses) {
    now_ += absl::Hours(24 * 60);
    EXPECT_TRUE(use().ok()) << what;
    EXPECT_EQ(last_use(), now_) << what;
  }
  const absl::Time last = now_;
  now_ += absl::Hours(24 * 90);
  ASSERT_TRUE(invitations_.ErasePeople(kWave).ok());
  EXPECT_EQ(last_use(), last) << "what ends is no use";
}

TEST_F(InvitationStoreTest, KnowsWhoseLinkWasShownWhoseverItIsByNow) {
  const auto opened_by = [this](const std::string& id) {
    std::vector<std::string> contacts;
    const auto visit = [&](const InvitationUse& use) {
      if (use.invitation.name() == NameOf(id)) contacts = use.opened_by;
    };
    EXPECT_TRUE(invitations_.ForEachUse(kWave, visit).ok());
    return contacts;
  };
  const auto open = [this](const std::string& id) { ASSERT_TRUE(invitations_.MarkOpened(HolderOf(id), ResponseOf(id)).ok()); };
  const auto other = [](const std::string& id) { return "municipalities/" + id + "/contacts/b"; };
  // Told by phone to the only contact there is, who cannot be reached by mail.
  Invite("GM0001");
  ASSERT_TRUE(invitations_.Escalate(NameOf("GM0001"), ContactOf("GM0001"), "").ok());
  EXPECT_THAT(opened_by("GM0001"), IsEmpty());
  open("GM0001");
  open("GM0001");
  EXPECT_THAT(opened_by("GM0001"), ElementsAre(ContactOf("GM0001")));
  // Given to another afterwards, and to a third who shows it the same day.
  Invite("GM0002");
  open("GM0002");
  ASSERT_TRUE(Reissue("GM0002", "2b", other("GM0002")).ok());
  EXPECT_THAT(opened_by("GM0002"), ElementsAre(ContactOf("GM0002")));
  open("GM0002");
  EXPECT_THAT(opened_by("GM0002"), ElementsAre(ContactOf("GM0002"), other("GM0002")));
  // Shown by a colleague, and by who took over: neither is the contact.
  Invite("GM0003");
  ASSERT_TRUE(invitations_.Escalate(NameOf("GM0003"), ContactOf("GM0003"), other("GM0003")).ok());
  ASSERT_TRUE(InviteColleague("GM0003", "jansen", "colleague").ok());
  ASSERT_TRUE(invitations_.MarkOpened({.invitation = NameOf("GM0003"), .colleague = "1"}, ResponseOf("GM0003")).ok());
  ASSERT_TRUE(HandOver("GM0003", "pietersen", "over").ok());
  open("GM0003");
  EXPECT_THAT(opened_by("GM0003"), IsEmpty());
}

TEST_F(InvitationStoreTest, EscalatesFromTheContactItHasAndNoOther) {
  Invite("GM0001");
  const std::string token = TokenOf("GM0001");
  const std::string next = "municipalities/GM0001/contacts/b";
  EXPECT_EQ(status::Reason(invitations_.Escalate(NameOf("GM0001"), next, "")), "CONCURRENT_CHANGE");
  ASSERT_TRUE(invitations_.Escalate(NameOf("GM0001"), ContactOf("GM0001"), next).ok());
  EXPECT_EQ(Get("GM0001").contact(), next);
  EXPECT_THAT(Get("GM0001").escalated_from(), ElementsAre(ContactOf("GM0001")));
  // Whoever stayed silent may still answer.
  EXPECT_TRUE(Holds(token));
  ASSERT_TRUE(invitations_.Escalate(NameOf("GM0001"), next, "").ok());
  EXPECT_EQ(Get("GM0001").contact(), "");
  ASSERT_TRUE(invitations_.Escalate(NameOf("GM0001"), "", next).ok());
  EXPECT_THAT(Get("GM0001").escalated_from(), ElementsAre(ContactOf("GM0001"), next));
  EXPECT_EQ(status::Reason(invitations_.Escalate(NameOf("GM0009"), "", next)), "INVITATION_NOT_FOUND");

  ASSERT_TRUE(HandOver("GM0001", "jansen", "over").ok());
  EXPECT_EQ(status::Reason(invitations_.Escalate(NameOf("GM0001"), "", next)), "CONCURRENT_CHANGE");
  Invite("GM0002");
  ASSERT_TRUE(Revoke("GM0002", "revoke").ok());
  EXPECT_EQ(status::Reason(invitations_.Escalate(NameOf("GM0002"), ContactOf("GM0002"), "")), "CONCURRENT_CHANGE");
}

TEST_F(InvitationStoreTest, ListsByNameAndState) {
  ASSERT_TRUE(Issue(IssueRequest({}, "all")).ok());
  ASSERT_TRUE(Revoke("GM0002", "revoke").ok());
  ASSERT_TRUE(invitations_.MarkOpened(HolderOf("GM0003"), "").ok());
  using v1::INVITATION_STATE_UNSPECIFIED;
  EXPECT_THAT(Listed(INVITATION_STATE_UNSPECIFIED, false, 2), ElementsAre("GM0001", "GM0002", "GM0003", "GM0004", "GM0005"));
  EXPECT_THAT(Listed(v1::INVITATION_STATE_ISSUED, false), ElementsAre("GM0001", "GM0004", "GM0005"));
  EXPECT_THAT(Listed(v1::INVITATION_STATE_OPENED, false, 1), ElementsAre("GM0003"));
  EXPECT_THAT(Listed(v1::INVITATION_STATE_REVOKED, false), ElementsAre("GM0002"));
  EXPECT_THAT(Listed(v1::INVITATION_STATE_EXPIRED, false), IsEmpty());
  EXPECT_THAT(Listed(v1::INVITATION_STATE_EXPIRED, true), ElementsAre("GM0001", "GM0003", "GM0004", "GM0005"));
  EXPECT_THAT(Listed(v1::INVITATION_STATE_REVOKED, true), ElementsAre("GM0002"));
  EXPECT_THAT(Listed(v1::INVITATION_STATE_OPENED, true), IsEmpty());
}

TEST_F(InvitationStoreTest, OfWhatIsNotThereNothingIsKnown) {
  for (const absl::Status& status :
       {invitations_.Get(NameOf("GM0001")).status(), invitations_.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001")).status(),
        invitations_.LinkOfHolder(NameOf("GM0001"), "1").status(), invitations_.LinkHolders(NameOf("GM0001")).status(),
        Reissue("GM0001", "1").status(), Revoke("GM0001", "2").status(), InviteColleague("GM0001", "jansen", "3").status(),
        Remove("GM0001", "1", "4").status(), HandOver("GM0001", "jansen", "5").status()}) {
    EXPECT_EQ(status::Reason(status), "INVITATION_NOT_FOUND") << status;
  }
}

// --- Keys.

TEST_F(InvitationStoreTest, WhoWasSealedWithAKeyThatIsLostKeepsNoKeyInUse) {
  Invite("GM0001");
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "colleague").ok());
  const auto lost = *vault::Vault::Make(absl::StrCat(vault::Vault::NewKey("b"), "\n", vault_->key_id(), " lost"));
  const auto found = MakeInvitations(*store_, *lost).ResealHolders(kWave);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->gone, 1);
  EXPECT_EQ(found->old, 0);
}

TEST_F(InvitationStoreTest, LinksGoOnWithAnOldKeyThatIsKept) {
  Invite("GM0001");
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "colleague").ok());
  const std::string token = TokenOf("GM0001");
  const auto rotated = *vault::Vault::Make(absl::StrCat(vault::Vault::NewKey("b"), "\n", key_));
  InvitationStore after = MakeInvitations(*store_, *rotated);
  EXPECT_TRUE(after.Verify(token).ok());
  EXPECT_EQ(TokenIn(*after.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001"))), token);
  EXPECT_TRUE(after.LinkOfHolder(NameOf("GM0001"), "1").ok());

  // New ones are made with the new key, people are sealed with it: then the old one can go, and with it only what it made.
  v1::ReissueInvitationRequest reissue;
  reissue.set_name(NameOf("GM0001"));
  reissue.set_request_id("new key");
  ASSERT_TRUE(after.Reissue(reissue, absl::OkStatus()).ok());
  ASSERT_TRUE(after.ResealHolders(kWave).ok());
  const uint64_t version = *after.Version(kWave);
  ASSERT_TRUE(after.ResealHolders(kWave).ok());
  EXPECT_EQ(*after.Version(kWave), version);
  const std::string new_token = TokenIn(*after.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001")));
  const std::string new_key = rotated->key_id();
  EXPECT_EQ(new_key, "b");
  EXPECT_FALSE(after.Verify(token).ok());
  EXPECT_TRUE(after.Verify(new_token).ok());
  v1::ListColleaguesRequest list;
  list.set_response(ResponseOf("GM0001"));
  EXPECT_EQ(after.ListColleagues(list, {}, true)->colleagues(0).full_name(), "jansen");
}

TEST_F(InvitationStoreTest, LinksEndWithTheirKeyAndSayWhichItWas) {
  Invite("GM0001");
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "colleague").ok());
  const std::string token = TokenOf("GM0001");
  const std::string colleague = TokenOf("GM0001", "1");
  const auto other = *vault::Vault::Make(vault::Vault::NewKey("b"));
  InvitationStore after = MakeInvitations(*store_, *other);
  EXPECT_EQ(status::Reason(after.Verify(token).status()), "TOKEN_UNKNOWN");
  EXPECT_EQ(status::Reason(after.Verify(colleague).status()), "TOKEN_UNKNOWN");
  for (const absl::Status& missing :
       {after.LinkOfContact(NameOf("GM0001"), ContactOf("GM0001")).status(), after.LinkOfHolder(NameOf("GM0001"), "1").status()}) {
    EXPECT_EQ(status::Reason(missing), "PERSONAL_DATA_KEY_MISSING") << missing;
    EXPECT_EQ(status::Metadata(missing)["key"], "a");
  }
}

}  // namespace
}  // namespace peiling::fieldwork
