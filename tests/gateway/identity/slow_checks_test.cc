#include "services/gateway/identity/slow_checks.h"

#include <future>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace peiling::gateway {
namespace {

using Result = SlowChecks::Result;
using ::testing::ElementsAre;

// Hashes that take as long as the test wants, and remember what they were asked.
class SlowChecksTest : public ::testing::Test {
 protected:
  SlowChecks::Matches Matches() {
    return [this](std::string_view secret, const access::v1::SecretHash&) {
      {
        const std::lock_guard lock(mutex_);
        hashed_.emplace_back(secret);
      }
      begun_.release();
      gate_.acquire();
      return secret.starts_with("good");
    };
  }
  // Waits until the next hash begins.
  void AwaitBegin() { begun_.acquire(); }
  void LetGo(int hashes = 1) { gate_.release(hashes); }

  std::future<Result> Check(SlowChecks& checks, const std::string& lane, const std::string& secret) {
    auto promise = std::make_shared<std::promise<Result>>();
    checks.Check(lane, DigestOf(secret), secret, {}, [promise](Result result) { promise->set_value(result); });
    return promise->get_future();
  }

  std::mutex mutex_;
  std::vector<std::string> hashed_;
  std::counting_semaphore<1000> begun_{0};
  std::counting_semaphore<1000> gate_{0};
};

TEST_F(SlowChecksTest, ManyChecksOfOneSecretAreOneHash) {
  SlowChecks checks({}, Matches());
  std::vector<std::future<Result>> results;
  results.push_back(Check(checks, "a", "good"));
  AwaitBegin();
  for (int i = 0; i < 100; ++i) results.push_back(Check(checks, "a", "good"));
  LetGo();
  for (auto& result : results) EXPECT_EQ(result.get(), Result::kMatches);
  EXPECT_THAT(hashed_, ElementsAre("good"));
}

TEST_F(SlowChecksTest, LanesTakeTurnsSoThatAFloodHoldsUpOthersForOneHash) {
  SlowChecks checks({.lanes = {.secrets_per_lane = 100}}, Matches());
  std::vector<std::future<Result>> flood;
  flood.push_back(Check(checks, "", "bad 0"));
  AwaitBegin();
  for (int i = 1; i < 100; ++i) flood.push_back(Check(checks, "", "bad " + std::to_string(i)));
  auto first = Check(checks, "a", "good a");
  auto second = Check(checks, "b", "good b");
  for (int i = 0; i < 4; ++i) {
    LetGo();
    AwaitBegin();
  }
  EXPECT_EQ(first.get(), Result::kMatches);
  EXPECT_EQ(second.get(), Result::kMatches);
  {
    const std::lock_guard lock(mutex_);
    EXPECT_THAT(hashed_, ElementsAre("bad 0", "bad 1", "good a", "good b", "bad 2"));
  }
  LetGo(200);
}

TEST_F(SlowChecksTest, AFullLaneRefusesAtOnceAndNoOther) {
  SlowChecks checks({.lanes = {.secrets_per_lane = 2, .calls_per_lane = 3}}, Matches());
  auto under_way = Check(checks, "", "bad 0");
  AwaitBegin();
  auto waits = Check(checks, "", "bad 1");
  EXPECT_EQ(Check(checks, "", "bad 2").get(), Result::kTooMany);
  auto joins = Check(checks, "", "bad 1");
  EXPECT_EQ(Check(checks, "", "bad 1").get(), Result::kTooMany);
  auto other = Check(checks, "a", "good");
  for (int i = 0; i < 2; ++i) {
    LetGo();
    AwaitBegin();
  }
  LetGo();
  EXPECT_EQ(under_way.get(), Result::kDiffers);
  EXPECT_EQ(waits.get(), Result::kDiffers);
  EXPECT_EQ(joins.get(), Result::kDiffers);
  EXPECT_EQ(other.get(), Result::kMatches);
}

TEST_F(SlowChecksTest, StoppingEndsWhatWaits) {
  SlowChecks checks({}, Matches());
  auto under_way = Check(checks, "a", "good");
  AwaitBegin();
  auto waits = Check(checks, "b", "good");
  std::thread stopping([&] { checks.Stop(); });
  LetGo(2);
  stopping.join();
  EXPECT_EQ(under_way.get(), Result::kMatches);
  // Either may win: the hash under way ends, and the thread sees that it is to stop, or begins another.
  EXPECT_NE(waits.get(), Result::kTooMany);
  EXPECT_EQ(Check(checks, "c", "good").get(), Result::kStopped);
}

}  // namespace
}  // namespace peiling::gateway
