#include "services/gateway/identity/key_checker.h"

#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/eventually.h"
#include "tests/gateway/identity/fake_access.h"
#include "tests/gateway/identity/waiting.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;
using std::chrono::system_clock;

constexpr char kId[] = "0123456789abcdef";
constexpr char kOther[] = "fedcba9876543210";

class KeyCheckerTest : public ::testing::Test {
 protected:
  KeyCheckerTest()
      : ring_(access::v1::AccessService::NewStub(access_.Connect())),
        checker_(
            ring_, {},
            [this](std::string_view secret, const access::v1::SecretHash& hash) {
              ++hashes_;
              if (during_hash_) std::exchange(during_hash_, nullptr)();
              cost_ += uint64_t{hash.cost()} * hash.block_size() * hash.parallelisation();
              return identity::Matches(secret, hash);
            },
            [this] { return now_.load(); }) {}
  ~KeyCheckerTest() override {
    ring_.Stop();
    checker_.Stop();
  }

  uint64_t changes() const { return ring_.Find("", {}).changes; }
  void Start() {
    ring_.Start();
    ASSERT_TRUE(Eventually([this] { return ring_.not_ready_reason().empty(); }));
  }
  // Waits until the ring knows of whatever was changed.
  void Change(const std::function<void()>& change) {
    const uint64_t before = changes();
    change();
    ASSERT_TRUE(Eventually([&] { return changes() > before; }));
  }
  Verdict Check(const std::string& secret) {
    Pending pending;
    checker_.Check(secret, pending.Take());
    return pending.Wait();
  }

  FakeAccess access_;
  // Called once, during the next hash.
  std::function<void()> during_hash_;
  std::atomic<system_clock::time_point> now_ = system_clock::now();
  std::atomic<int> hashes_ = 0;
  std::atomic<uint64_t> cost_ = 0;
  KeyRing ring_;
  KeyChecker checker_;
};

TEST_F(KeyCheckerTest, BeforeAllKeysAreKnownNothingCanBeTold) {
  const std::string secret = access_.AddKey(kId);
  access_.Break({grpc::StatusCode::UNAVAILABLE, "away"});
  ring_.Start();
  EXPECT_EQ(Check(secret).result, Result::kUncheckable);
  EXPECT_TRUE(Eventually([&] { return ring_.not_ready_reason().find("away") != std::string::npos; }));
  EXPECT_EQ(hashes_, 0);
  access_.Mend();
  EXPECT_TRUE(Eventually([&] { return ring_.not_ready_reason().empty(); }));
  EXPECT_EQ(Check(secret).result, Result::kHolds);
}

TEST_F(KeyCheckerTest, AKeyIsHashedOnceAndToldByItsDigestFromThenOn) {
  const std::string secret = access_.AddKey(kId);
  Start();
  for (int i = 0; i < 10; ++i) {
    const Verdict verdict = Check(secret);
    ASSERT_EQ(verdict.result, Result::kHolds) << verdict.why;
    EXPECT_EQ(verdict.identity.subject(), "keys/0123456789abcdef");
    EXPECT_EQ(verdict.identity.title(), "test");
    EXPECT_EQ(verdict.identity.credential(), access::v1::CREDENTIAL_KIND_KEY);
    ASSERT_EQ(verdict.identity.grants_size(), 1);
    EXPECT_EQ(verdict.identity.grants(0).role(), access::v1::ROLE_MAILER);
  }
  EXPECT_EQ(hashes_, 1);
}

TEST_F(KeyCheckerTest, WhateverIsWrongCostsTheSameWork) {
  const std::string secret = access_.AddKey(kId);
  const std::string revoked = access_.AddKey(kOther);
  access_.Revoke(kOther);
  Start();
  std::string wrong = identity::NewSecret(kId);
  std::string changed = secret;
  changed.back() = changed.back() == 'A' ? 'B' : 'A';
  const std::vector<std::string> shown = {wrong,
                                          changed,
                                          identity::NewSecret("00000000000000aa"),
                                          identity::NewSecret(kOther),
                                          revoked,
                                          secret + "x",
                                          secret.substr(1),
                                          "",
                                          "peiling_",
                                          "Basic YTpi",
                                          std::string(5000, 'x'),
                                          std::string("\0\xff", 2)};
  uint64_t cost = 0;
  int hashes = 0;
  for (const std::string& each : shown) {
    const Verdict verdict = Check(each);
    EXPECT_EQ(verdict.result, Result::kInvalid) << each;
    EXPECT_EQ(verdict.why.find(each.empty() ? "x" : each), std::string::npos) << "the log would tell a secret";
    ++hashes;
    if (cost == 0) cost = cost_;
    EXPECT_EQ(hashes_, hashes) << each;
    EXPECT_EQ(cost_, cost * hashes) << each;
  }
  // A second time, none of it costs a hash.
  for (const std::string& each : shown) EXPECT_EQ(Check(each).result, Result::kInvalid);
  EXPECT_EQ(hashes_, hashes);
}

TEST_F(KeyCheckerTest, ARevokedKeyIsRefusedWithTheEvent) {
  const std::string secret = access_.AddKey(kId);
  Start();
  EXPECT_EQ(Check(secret).result, Result::kHolds);
  Change([&] { access_.Revoke(kId); });
  EXPECT_EQ(Check(secret).result, Result::kInvalid);
}

TEST_F(KeyCheckerTest, AnExpiredKeyIsRefusedThoughItWasRecognised) {
  const auto end = system_clock::now() + std::chrono::hours(1);
  const std::string secret = access_.AddKey(kId, system_clock::to_time_t(end));
  Start();
  const Verdict verdict = Check(secret);
  EXPECT_EQ(verdict.result, Result::kHolds);
  EXPECT_EQ(verdict.identity.expires_at().seconds(), system_clock::to_time_t(end));
  now_ = system_clock::from_time_t(system_clock::to_time_t(end));
  EXPECT_EQ(Check(secret).result, Result::kExpired);
  EXPECT_EQ(Check(identity::NewSecret(kId)).result, Result::kInvalid) << "whoever does not know the secret must not learn that it expired";
}

TEST_F(KeyCheckerTest, AKeyThatExpiresBeyondAllClocksHolds) {
  const std::string secret = access_.AddKey(kId, 253'402'300'799);  // The end of the year 9999.
  Start();
  EXPECT_EQ(Check(secret).result, Result::kHolds);
}

TEST_F(KeyCheckerTest, AKeyThatComesLaterHoldsThoughItWasRefusedBefore) {
  Start();
  const std::string early = identity::NewSecret(kId);
  EXPECT_EQ(Check(early).result, Result::kInvalid);
  std::string secret;
  Change([&] { secret = access_.AddKey(kId); });
  EXPECT_EQ(Check(secret).result, Result::kHolds);
  EXPECT_EQ(Check(early).result, Result::kInvalid);
}

TEST_F(KeyCheckerTest, AKeyThatComesDuringTheHashHolds) {
  const std::string secret = identity::NewSecret(kId);
  Start();
  during_hash_ = [&] { Change([&] { access_.AddKey(kId, secret); }); };
  EXPECT_EQ(Check(secret).result, Result::kHolds);
}

TEST_F(KeyCheckerTest, AKeyThatIsRevokedDuringTheHashDoesNot) {
  const std::string secret = access_.AddKey(kId);
  Start();
  during_hash_ = [&] { Change([&] { access_.Revoke(kId); }); };
  EXPECT_EQ(Check(secret).result, Result::kInvalid);
}

TEST_F(KeyCheckerTest, AKeyWhoseSecretIsReplacedDuringTheHashHoldsByTheNewAlone) {
  const std::string old = access_.AddKey(kId);
  const std::string secret = identity::NewSecret(kId);
  Start();
  during_hash_ = [&] { Change([&] { access_.AddKey(kId, secret); }); };
  EXPECT_EQ(Check(old).result, Result::kInvalid);
  EXPECT_EQ(Check(secret).result, Result::kHolds);
}

TEST_F(KeyCheckerTest, AChangeOfTheKeyIsSeenWithoutAnotherHash) {
  const std::string secret = access_.AddKey(kId);
  Start();
  EXPECT_EQ(Check(secret).identity.title(), "test");
  Change([&] { access_.Rename(kId, "renamed"); });
  EXPECT_EQ(Check(secret).identity.title(), "renamed");
  EXPECT_EQ(hashes_, 1);
}

TEST_F(KeyCheckerTest, WhileAccessIsAwayWhatIsKnownHolds) {
  const std::string used = access_.AddKey(kId);
  const std::string unused = access_.AddKey(kOther);
  Start();
  EXPECT_EQ(Check(used).result, Result::kHolds);
  access_.Break({grpc::StatusCode::UNAVAILABLE, "away"});
  EXPECT_EQ(Check(used).result, Result::kHolds);
  EXPECT_EQ(Check(unused).result, Result::kHolds);
  EXPECT_EQ(ring_.not_ready_reason(), "");
  EXPECT_EQ(hashes_, 2);
  // Back again, nothing is hashed anew.
  Change([&] { access_.Mend(); });
  EXPECT_EQ(Check(used).result, Result::kHolds);
  EXPECT_EQ(Check(unused).result, Result::kHolds);
  EXPECT_EQ(hashes_, 2);
}

TEST_F(KeyCheckerTest, AKeyThatAccessNoLongerHasIsGoneAfterReconnecting) {
  const std::string secret = access_.AddKey(kId);
  Start();
  EXPECT_EQ(Check(secret).result, Result::kHolds);
  Change([&] {
    access_.ForgetAll();
    access_.Mend();
  });
  EXPECT_EQ(Check(secret).result, Result::kInvalid);
}

TEST_F(KeyCheckerTest, AnotherSecretUnderTheSameIdEndsTheOld) {
  const std::string old = access_.AddKey(kId);
  Start();
  EXPECT_EQ(Check(old).result, Result::kHolds);
  std::string secret;
  Change([&] { secret = access_.AddKey(kId); });
  EXPECT_EQ(Check(old).result, Result::kInvalid);
  EXPECT_EQ(Check(secret).result, Result::kHolds);
}

// Guesses fill the lane they share; a good key that is used for the first time waits for one of them.
TEST_F(KeyCheckerTest, AFloodOfGuessesLetsGoodKeysIn) {
  const std::string known = access_.AddKey(kId);
  const std::string fresh = access_.AddKey(kOther);
  Start();
  EXPECT_EQ(Check(known).result, Result::kHolds);
  std::vector<Pending> flood(200);
  for (Pending& guess : flood) checker_.Check(identity::NewSecret(identity::NewKeyId()), guess.Take());
  Pending at_once;
  checker_.Check(known, at_once.Take());
  EXPECT_TRUE(at_once.done());
  const int before = hashes_;
  EXPECT_EQ(Check(fresh).result, Result::kHolds);
  EXPECT_LE(hashes_, before + 3);
  int too_many = 0;
  for (Pending& guess : flood) {
    const Result result = guess.Wait().result;
    EXPECT_TRUE(result == Result::kTooMany || result == Result::kInvalid);
    if (result == Result::kTooMany) ++too_many;
  }
  EXPECT_GE(too_many, 150);
}

}  // namespace
}  // namespace peiling::gateway
