#include "services/gateway/identity/invitation_checker.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/eventually.h"
#include "tests/gateway/identity/fake_fieldwork.h"
#include "tests/gateway/identity/waiting.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class InvitationCheckerTest : public ::testing::Test {
 protected:
  InvitationCheckerTest() { Make({}); }

  void Make(const InvitationChecker::Limits& limits) {
    checker_ = std::make_unique<InvitationChecker>(
        fieldwork::v1::InvitationService::NewStub(fieldwork_.Connect()), limits, [this] { return TimeAt(wall_); },
        [this] { return std::chrono::steady_clock::time_point(milliseconds(steady_)); });
  }
  // Both clocks go on.
  void Pass(milliseconds time) {
    steady_ += time.count();
    wall_ += std::chrono::duration_cast<seconds>(time).count();
  }
  Verdict Check(const std::string& token, const std::string& origin = "192.0.2.1") { return Begin(token, origin).Wait(); }
  Pending Begin(const std::string& token, const std::string& origin = "192.0.2.1") {
    Pending pending;
    checker_->Check(token, origin, pending.Take());
    return pending;
  }
  bool AwaitAsked(size_t count) {
    return Eventually([&] { return fieldwork_.asked().size() >= count; });
  }

  FakeFieldwork fieldwork_;
  std::atomic<int64_t> wall_ = 1'800'000'000;
  std::atomic<int64_t> steady_ = 1'000'000;
  std::unique_ptr<InvitationChecker> checker_;
};

const std::string kToken = FakeFieldwork::TokenOf("GM0363");

TEST(LooksLikeInvitation, IsAboutTheBeginningAlone) {
  for (const char* shown : {"peiling-uitnodiging_", "peiling-uitnodiging_x y", "peiling-uitnodiging_a.b.c"}) {
    EXPECT_TRUE(LooksLikeInvitation(shown)) << shown;
  }
  for (const char* shown : {"", "peiling_0123", "peiling-uitnodiging", "Peiling-uitnodiging_x", " peiling-uitnodiging_x"}) {
    EXPECT_FALSE(LooksLikeInvitation(shown)) << shown;
  }
}

TEST_F(InvitationCheckerTest, TokenIsWhoFieldworkSays) {
  access::v1::Identity identity = FakeFieldwork::IdentityOf("GM0363");
  identity.mutable_grants(0)->add_sections(2);
  fieldwork_.Issue(kToken, identity);
  const Verdict verdict = Check(kToken);
  ASSERT_EQ(verdict.result, Result::kHolds) << verdict.why;
  EXPECT_EQ(verdict.identity.subject(), "surveys/s/waves/2026/invitations/GM0363");
  EXPECT_EQ(verdict.identity.credential(), access::v1::CREDENTIAL_KIND_INVITATION);
  ASSERT_EQ(verdict.identity.grants_size(), 1);
  EXPECT_EQ(verdict.identity.grants(0).SerializeAsString(), identity.grants(0).SerializeAsString()) << "sections too";
}

TEST_F(InvitationCheckerTest, WhatFieldworkDoesNotKnowIsInvalidAndNeverToldInTheReason) {
  fieldwork_.Issue("GM0363");
  for (const std::string& token : {FakeFieldwork::TokenOf("GM0363", "x"), FakeFieldwork::TokenOf("GM0014"),
                                   std::string("peiling-uitnodiging_"), "peiling-uitnodiging_" + std::string(5000, 'x')}) {
    const Verdict verdict = Check(token);
    EXPECT_EQ(verdict.result, Result::kInvalid) << token;
    EXPECT_THAT(verdict.why, Not(HasSubstr("GM0"))) << token;
    EXPECT_THAT(verdict.why, Not(HasSubstr("uitnodiging_"))) << token;
  }
  EXPECT_THAT(fieldwork_.asked(), SizeIs(3)) << "what is too long is not asked about";
}

TEST_F(InvitationCheckerTest, AnswersAreRememberedForASecondFromTheQuestionOn) {
  fieldwork_.Issue("GM0363");
  const std::string bad = FakeFieldwork::TokenOf("GM0363", "x");
  fieldwork_.Hold();
  Pending first = Begin(kToken);
  ASSERT_TRUE(AwaitAsked(1));
  Pass(milliseconds(400));
  fieldwork_.LetGo();
  EXPECT_EQ(first.Wait().result, Result::kHolds);
  Check(bad);
  Pass(milliseconds(599));
  EXPECT_EQ(Check(kToken).result, Result::kHolds);
  EXPECT_EQ(Check(bad).result, Result::kInvalid);
  EXPECT_THAT(fieldwork_.asked(), SizeIs(2));
  Pass(milliseconds(1));
  EXPECT_EQ(Check(kToken).result, Result::kHolds);
  EXPECT_THAT(fieldwork_.asked(), SizeIs(3)) << "a second after it was asked, though 0.6 after it was answered";
  Pass(milliseconds(400));
  Check(bad);
  EXPECT_THAT(fieldwork_.asked(), SizeIs(4));
}

TEST_F(InvitationCheckerTest, WhatIsRevokedLetsNobodyInASecondLater) {
  fieldwork_.Issue("GM0363");
  EXPECT_EQ(Check(kToken).result, Result::kHolds);
  fieldwork_.Revoke(kToken);
  Pass(milliseconds(999));
  EXPECT_EQ(Check(kToken).result, Result::kHolds);
  Pass(milliseconds(1));
  EXPECT_EQ(Check(kToken).result, Result::kInvalid);
  EXPECT_EQ(Check(kToken).result, Result::kInvalid);
  EXPECT_THAT(fieldwork_.asked(), SizeIs(2));
  fieldwork_.Issue("GM0363");
  Pass(seconds(1));
  EXPECT_EQ(Check(kToken).result, Result::kHolds);
}

TEST_F(InvitationCheckerTest, SettingTheClockBackKeepsNothingAlive) {
  fieldwork_.Issue("GM0363");
  EXPECT_EQ(Check(kToken).result, Result::kHolds);
  fieldwork_.Revoke(kToken);
  Pass(seconds(1));
  wall_ -= 3600;
  EXPECT_EQ(Check(kToken).result, Result::kInvalid);
}

TEST_F(InvitationCheckerTest, IdentityHoldsForTenSeconds) {
  fieldwork_.Issue("GM0363");
  const access::v1::Identity identity = Check(kToken).identity;
  EXPECT_TRUE(checker_->StillHolds(identity));
  Pass(seconds(9));
  EXPECT_TRUE(checker_->StillHolds(identity));
  Pass(seconds(1));
  EXPECT_FALSE(checker_->StillHolds(identity));
  EXPECT_FALSE(checker_->StillHolds({}));
}

TEST_F(InvitationCheckerTest, WithoutFieldworkTokensCannotBeCheckedAndNothingIsRemembered) {
  fieldwork_.Issue("GM0363");
  for (const auto code : {grpc::StatusCode::DEADLINE_EXCEEDED, grpc::StatusCode::INTERNAL, grpc::StatusCode::RESOURCE_EXHAUSTED,
                          grpc::StatusCode::UNIMPLEMENTED, grpc::StatusCode::UNAUTHENTICATED}) {
    fieldwork_.Fail({code, "away"});
    EXPECT_EQ(Check(kToken).result, Result::kUncheckable) << code << " without the reason of the contract";
  }
  fieldwork_.Fail(grpc::Status::OK);
  EXPECT_EQ(Check(kToken).result, Result::kHolds);
  fieldwork_.Fail({grpc::StatusCode::UNAVAILABLE, "away"});
  EXPECT_EQ(Check(kToken).result, Result::kHolds) << "what is known holds, for a second";
  Pass(seconds(1));
  EXPECT_EQ(Check(kToken).result, Result::kUncheckable);
}

TEST_F(InvitationCheckerTest, FieldworkThatHangsIsGivenUp) {
  Make({.deadline = milliseconds(50)});
  fieldwork_.Issue("GM0363");
  fieldwork_.Hold();
  EXPECT_EQ(Check(kToken).result, Result::kUncheckable);
}

TEST_F(InvitationCheckerTest, NobodyIsLetInWithMoreThanOneResponse) {
  const auto changed = [](const auto& change) {
    access::v1::Identity identity = FakeFieldwork::IdentityOf("GM0363");
    change(identity);
    return identity;
  };
  const std::vector<access::v1::Identity> cases = {
      access::v1::Identity(),
      changed([](auto& identity) { identity.clear_subject(); }),
      changed([](auto& identity) { identity.clear_grants(); }),
      changed([](auto& identity) { identity.add_grants()->set_role(access::v1::ROLE_ANALYST); }),
      changed([](auto& identity) { identity.mutable_grants(0)->set_role(access::v1::ROLE_ADMINISTRATOR); }),
      changed([](auto& identity) { identity.mutable_grants(0)->clear_resources(); }),
      changed([](auto& identity) { identity.mutable_grants(0)->set_resources(0, FakeFieldwork::kWave); }),
      changed([](auto& identity) { identity.mutable_grants(0)->add_resources("surveys/s/waves/2026/responses/GM0014"); }),
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::string token = FakeFieldwork::TokenOf("GM0363", std::to_string(i));
    fieldwork_.Issue(token, cases[i]);
    EXPECT_EQ(Check(token).result, Result::kUncheckable) << cases[i].ShortDebugString();
  }
}

TEST_F(InvitationCheckerTest, ManyChecksOfOneTokenAreOneQuestion) {
  fieldwork_.Issue("GM0363");
  fieldwork_.Hold();
  std::vector<Pending> pending;
  pending.reserve(50);
  for (int i = 0; i < 50; ++i) pending.push_back(Begin(kToken));
  fieldwork_.LetGo();
  for (Pending& each : pending) EXPECT_EQ(each.Wait().result, Result::kHolds);
  EXPECT_THAT(fieldwork_.asked(), ElementsAre(kToken));
}

TEST_F(InvitationCheckerTest, GuessesHoldUpTheFirstUseOfAnotherLinkForOneQuestion) {
  Make({.strangers = 1, .lanes = {.secrets_per_lane = 100}});
  fieldwork_.Issue("GM0014");
  fieldwork_.Hold();
  std::vector<Pending> guesses;
  guesses.reserve(100);
  for (int i = 0; i < 100; ++i) guesses.push_back(Begin(FakeFieldwork::TokenOf("GM0363", "x" + std::to_string(i))));
  Pending first_use = Begin(FakeFieldwork::TokenOf("GM0014"));
  ASSERT_TRUE(AwaitAsked(1));
  fieldwork_.LetGo();
  EXPECT_EQ(first_use.Wait().result, Result::kHolds);
  for (Pending& guess : guesses) EXPECT_EQ(guess.Wait().result, Result::kInvalid);
  const std::vector<std::string> asked = fieldwork_.asked();
  const auto place = std::find(asked.begin(), asked.end(), FakeFieldwork::TokenOf("GM0014")) - asked.begin();
  EXPECT_LE(place, 2);
}

TEST_F(InvitationCheckerTest, GuessesDoNotHoldUpTokensThatHaveHeld) {
  Make({.strangers = 1, .lanes = {.secrets_per_lane = 16}});
  fieldwork_.Issue("GM0363");
  EXPECT_EQ(Check(kToken).result, Result::kHolds);
  Pass(seconds(1));
  fieldwork_.Hold();
  std::vector<Pending> guesses;
  guesses.reserve(16);
  for (int i = 0; i < 16; ++i) guesses.push_back(Begin(FakeFieldwork::TokenOf("GM0363", "x" + std::to_string(i))));
  EXPECT_EQ(Check(FakeFieldwork::TokenOf("GM0363", "one more")).result, Result::kTooMany);
  ASSERT_TRUE(AwaitAsked(2));
  Pending held = Begin(kToken);
  ASSERT_TRUE(AwaitAsked(3)) << "though one guess is being asked about, and 15 wait";
  EXPECT_EQ(fieldwork_.asked().back(), kToken);
  fieldwork_.LetGo();
  EXPECT_EQ(held.Wait().result, Result::kHolds);
  for (Pending& guess : guesses) EXPECT_EQ(guess.Wait().result, Result::kInvalid);
}

TEST_F(InvitationCheckerTest, GuessesOfStrangersDoNotKeepOutTheHolderWhomTheyName) {
  Make({.strangers = 1});
  fieldwork_.Issue("GM0363");
  fieldwork_.Hold();
  std::vector<Pending> guesses;
  guesses.reserve(4);
  for (int i = 0; i < 4; ++i) guesses.push_back(Begin(FakeFieldwork::TokenOf("GM0363", "x" + std::to_string(i)), "198.51.100.9"));
  EXPECT_EQ(Check(FakeFieldwork::TokenOf("GM0363", "one more"), "198.51.100.9").result, Result::kTooMany);
  Pending holder = Begin(kToken, "192.0.2.1");
  ASSERT_TRUE(AwaitAsked(1));
  fieldwork_.LetGo();
  EXPECT_EQ(holder.Wait().result, Result::kHolds);
  for (Pending& guess : guesses) EXPECT_EQ(guess.Wait().result, Result::kInvalid);
  const std::vector<std::string> asked = fieldwork_.asked();
  EXPECT_LE(std::find(asked.begin(), asked.end(), kToken) - asked.begin(), 2);
}

TEST_F(InvitationCheckerTest, OneNetworkFillsNoMoreLanesThanItHas) {
  Make({.strangers = 1, .lanes = {.lanes_per_group = 3}});
  fieldwork_.Issue("GM0363");
  fieldwork_.Hold();
  std::vector<Pending> guesses;
  guesses.reserve(3);
  for (int i = 0; i < 3; ++i)
    guesses.push_back(Begin(FakeFieldwork::TokenOf("GM000" + std::to_string(i)), "2001:db8::" + std::to_string(i)));
  EXPECT_EQ(Check(FakeFieldwork::TokenOf("GM0009"), "2001:db8::f").result, Result::kTooMany);
  Pending holder = Begin(kToken, "2001:db8:0:1::1");
  fieldwork_.LetGo();
  EXPECT_EQ(holder.Wait().result, Result::kHolds);
  for (Pending& guess : guesses) EXPECT_EQ(guess.Wait().result, Result::kInvalid);
  EXPECT_EQ(Check(FakeFieldwork::TokenOf("GM0009"), "2001:db8::f").result, Result::kInvalid) << "there is room again";
}

TEST_F(InvitationCheckerTest, NoMoreThanSoManyWaitInAll) {
  Make({.strangers = 1, .lanes = {.lanes = 3}});
  fieldwork_.Hold();
  std::vector<Pending> waiting;
  waiting.reserve(3);
  for (int i = 0; i < 3; ++i) waiting.push_back(Begin(FakeFieldwork::TokenOf("GM000" + std::to_string(i))));
  EXPECT_EQ(Check(FakeFieldwork::TokenOf("GM0009")).result, Result::kTooMany);
  fieldwork_.LetGo();
  for (Pending& each : waiting) EXPECT_EQ(each.Wait().result, Result::kInvalid);
  EXPECT_EQ(Check(FakeFieldwork::TokenOf("GM0009")).result, Result::kInvalid) << "there is room again";
}

TEST_F(InvitationCheckerTest, StoppingEndsWhatIsAskedAndWhatWaits) {
  Make({.strangers = 1});
  fieldwork_.Hold();
  Pending asked = Begin(FakeFieldwork::TokenOf("GM0014"));
  Pending waits = Begin(kToken);
  ASSERT_TRUE(AwaitAsked(1));
  checker_->Stop();
  ASSERT_TRUE(asked.done() && waits.done());
  EXPECT_EQ(asked.Wait().result, Result::kUncheckable);
  EXPECT_EQ(waits.Wait().result, Result::kUncheckable);
  EXPECT_EQ(Check(kToken).result, Result::kUncheckable);
  EXPECT_THAT(fieldwork_.asked(), SizeIs(1));
  checker_->Stop();
}

}  // namespace
}  // namespace peiling::gateway
