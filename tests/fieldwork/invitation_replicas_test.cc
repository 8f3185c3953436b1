// Two replicas over one store: whatever happens between reading and writing, what both did is there once.
#include <thread>

#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "tests/contract/redis_server.h"
#include "tests/fieldwork/invitation_setting.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class InvitationReplicasTest : public InvitationSetting {
 protected:
  // Runs the same in both replicas at once, `rounds` times each.
  void Race(int rounds, const std::function<void(InvitationStore& invitations, int replica, int round)>& act) {
    std::vector<std::thread> threads;
    threads.reserve(2);
    for (int replica = 0; replica < 2; ++replica) {
      threads.emplace_back([&, replica] {
        InvitationStore invitations = MakeInvitations(*store_, *vault_);
        for (int round = 0; round < rounds; ++round) act(invitations, replica, round);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  InvitationStore other_ = MakeInvitations(*store_, *vault_);
};

TEST_F(InvitationReplicasTest, IssueEachInvitationOnce) {
  watched_.before_commit = [&] {
    const auto issued = Issue(other_, IssueRequest({"GM0001", "GM0002"}, "other"));
    EXPECT_EQ(issued->issued(), 2);
  };
  const auto issued = Issue(IssueRequest({}, "all"));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(issued->issued(), 3);
  EXPECT_EQ(issued->unchanged(), 2);
  for (const char* const code : {"GM0001", "GM0005"}) EXPECT_EQ(Get(code).issue(), 1);
}

TEST_F(InvitationReplicasTest, AnswerTheSameRequestTheSame) {
  std::vector<v1::IssueInvitationsResponse> responses(2);
  Race(1, [&](InvitationStore& invitations, int replica, int) {
    const auto issued = Issue(invitations, IssueRequest({}, "all"));
    ASSERT_TRUE(issued.ok()) << issued.status();
    responses[replica] = *issued;
  });
  EXPECT_EQ(responses[0].issued(), 5);
  EXPECT_EQ(responses[1].issued(), 5);
}

TEST_F(InvitationReplicasTest, PutAMunicipalityInOneInvitation) {
  // By itself and jointly, at the same time.
  watched_.before_commit = [&] { EXPECT_TRUE(Issue(other_, IssueRequest({"GM0002"}, "other")).ok()); };
  EXPECT_EQ(status::Reason(Issue(IssueRequest({}, "joint", {{"GM0001", "GM0002"}}, true)).status()), "INVITED_OTHERWISE");

  // Brought back while its municipality leaves it.
  ASSERT_TRUE(Issue(IssueRequest({}, "third", {{"GM0003", "GM0004"}}, true)).ok());
  ASSERT_TRUE(Revoke("GM0003", "revoke").ok());
  watched_.before_commit = [&] {
    v1::ReissueInvitationRequest request;
    request.set_name(NameOf("GM0003"));
    request.set_request_id("back");
    EXPECT_TRUE(other_.Reissue(request, absl::OkStatus()).ok());
  };
  const auto issued = Issue(IssueRequest({"GM0004"}, "fourth"));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(issued->issued(), 0);
  EXPECT_EQ(issued->unchanged(), 1);

  // The other way round: it left while it is brought back.
  ASSERT_TRUE(Revoke("GM0003", "revoke again").ok());
  watched_.before_commit = [&] { EXPECT_EQ(Issue(other_, IssueRequest({"GM0004"}, "fourth again"))->issued(), 1); };
  EXPECT_EQ(status::Reason(Reissue("GM0003", "back again").status()), "INVITED_OTHERWISE");
}

TEST_F(InvitationReplicasTest, EscalateOnce) {
  Invite("GM0001");
  const std::string next = "municipalities/GM0001/contacts/b";
  watched_.before_commit = [&] { EXPECT_TRUE(other_.Escalate(NameOf("GM0001"), ContactOf("GM0001"), next).ok()); };
  EXPECT_EQ(status::Reason(invitations_.Escalate(NameOf("GM0001"), ContactOf("GM0001"), "")), "CONCURRENT_CHANGE");
  EXPECT_EQ(Get("GM0001").contact(), next);
  EXPECT_THAT(Get("GM0001").escalated_from(), ElementsAre(ContactOf("GM0001")));
}

TEST_F(InvitationReplicasTest, HandOverAndEscalateDoNotPassEachOtherBy) {
  Invite("GM0001");
  watched_.before_commit = [&] { EXPECT_TRUE(other_.HandOver(HandOverRequest("GM0001", "jansen", "over"), {}, absl::OkStatus()).ok()); };
  EXPECT_EQ(status::Reason(invitations_.Escalate(NameOf("GM0001"), ContactOf("GM0001"), "")), "CONCURRENT_CHANGE");
  EXPECT_THAT(Get("GM0001").escalated_from(), SizeIs(0));
  EXPECT_TRUE(Get("GM0001").handed_over());
}

TEST_F(InvitationReplicasTest, HandOverOneAfterTheOther) {
  Invite("GM0001");
  std::vector<std::string> tokens(2);
  Race(1, [&](InvitationStore& invitations, int replica, int) {
    const auto over =
        invitations.HandOver(HandOverRequest("GM0001", absl::StrCat("new", replica), absl::StrCat("over ", replica)), {}, absl::OkStatus());
    EXPECT_TRUE(over.ok()) << over.status();
  });
  EXPECT_EQ(Get("GM0001").issue(), 3);
  const auto holders = invitations_.LinkHolders(NameOf("GM0001"));
  ASSERT_TRUE(holders.ok());
  ASSERT_THAT(*holders, SizeIs(1));
  EXPECT_TRUE(Holds(TokenOf("GM0001", "holder")));
}

TEST_F(InvitationReplicasTest, LoseNoColleagueAndGiveNoNumberTwice) {
  Invite("GM0001");
  constexpr int kRounds = 12;
  Race(kRounds, [&](InvitationStore& invitations, int replica, int round) {
    const std::string name = absl::StrCat("c", replica, "x", round);
    const auto invited = invitations.InviteColleague(ColleagueRequest("GM0001", name, name), {}, absl::OkStatus());
    ASSERT_TRUE(invited.ok()) << invited.status();
    const auto rights = invitations.Verify(TokenIn(invited->link()));
    ASSERT_TRUE(rights.ok()) << rights.status();
    EXPECT_EQ(rights->colleague, invited->colleague().colleague());
  });
  const auto holders = invitations_.LinkHolders(NameOf("GM0001"));
  ASSERT_TRUE(holders.ok());
  std::set<std::string> ids, people;
  for (const LinkHolder& holder : *holders) {
    ids.insert(holder.id);
    people.insert(holder.full_name);
  }
  EXPECT_EQ(ids.size(), 2 * kRounds);
  EXPECT_EQ(people.size(), 2 * kRounds);
}

TEST_F(InvitationReplicasTest, DoNotBringBackALinkThatEndsMeanwhile) {
  Invite("GM0001");
  const std::string token = TokenOf("GM0001");
  watched_.before_commit = [&] {
    v1::RevokeInvitationRequest request;
    request.set_name(NameOf("GM0001"));
    request.set_request_id("revoke");
    EXPECT_TRUE(other_.Revoke(request).ok());
  };
  EXPECT_EQ(status::Reason(invitations_.MarkOpened(HolderOf("GM0001"), ResponseOf("GM0001"))), "TOKEN_UNKNOWN");
  EXPECT_FALSE(Holds(token));
  EXPECT_EQ(Get("GM0001").state(), v1::INVITATION_STATE_REVOKED);
}

TEST_F(InvitationReplicasTest, InviteAWholeFrameAtOnceOnRedis) {
  const storage::RedisServer redis;
  const std::string address = absl::StrCat("redis://", redis.endpoint());
  const std::unique_ptr<storage::Store> stores[] = {*storage::OpenStore(address, "fieldwork"), *storage::OpenStore(address, "fieldwork")};
  std::vector<std::string> codes;
  codes.reserve(344);
  for (int i = 1; i <= 344; ++i) codes.push_back(absl::StrFormat("GM%04d", i));
  frame_ = MakeFrame(codes);
  std::vector<int> issued(2), unchanged(2);
  Race(1, [&](InvitationStore&, int replica, int) {
    InvitationStore invitations = MakeInvitations(*stores[replica], *vault_);
    const auto answer = Issue(invitations, IssueRequest({}, absl::StrCat("all ", replica)));
    ASSERT_TRUE(answer.ok()) << answer.status();
    issued[replica] = answer->issued();
    unchanged[replica] = answer->unchanged();
  });
  EXPECT_EQ(issued[0] + issued[1], 344);
  EXPECT_EQ(unchanged[0] + unchanged[1], 344);
  InvitationStore first = MakeInvitations(*stores[0], *vault_), second = MakeInvitations(*stores[1], *vault_);
  EXPECT_TRUE(second.Verify(TokenIn(*first.LinkOfContact(NameOf("GM0344"), ""))).ok());
}

}  // namespace
}  // namespace peiling::fieldwork
