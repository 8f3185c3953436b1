#include "services/gateway/audit_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/common/status/errors.h"
#include "tests/gateway/open_door.h"

namespace peiling::gateway {
namespace {

using access::v1::AuditEntry;
using std::chrono::milliseconds;
using std::chrono::seconds;

class AuditTrailTest : public testing::Test {
 protected:
  AuditTrailTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&access_);
    server_ = builder.BuildAndStart();
    Start({});
  }
  ~AuditTrailTest() override {
    access_.Hold(false);
    trail_.reset();
    server_->Shutdown(std::chrono::system_clock::now());
  }

  void Start(const AuditOptions& options) {
    trail_.reset();
    trail_.emplace(access::v1::AccessService::NewStub(server_->InProcessChannel({})), options);
  }

  static AuditEntry Entry(const std::string& action, const std::string& reason = "", const std::string& subject = "keys/a") {
    AuditEntry entry;
    entry.set_subject(subject);
    entry.set_action(action);
    entry.set_reason(reason);
    return entry;
  }

  // Records an entry; the future is ready when its caller may hear of it.
  std::future<void> Record(const std::string& action, AuditTrail::Wait wait = AuditTrail::Wait::kUntilRecorded) {
    auto done = std::make_shared<std::promise<void>>();
    std::future<void> recorded = done->get_future();
    auto place = trail_->Reserve();
    EXPECT_TRUE(place.ok()) << place.status();
    trail_->Record(Entry(action), place.ok() ? *std::move(place) : nullptr, wait, [done] { done->set_value(); });
    return recorded;
  }

  FakeAccess access_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<AuditTrail> trail_;
};

bool Ready(const std::future<void>& future, milliseconds within = milliseconds(0)) {
  return future.wait_for(within) == std::future_status::ready;
}

TEST_F(AuditTrailTest, DoneComesWhenTheLogHasTheEntry) {
  access_.Hold(true);
  const std::future<void> recorded = Record("a");
  access_.AwaitBatches(1);
  EXPECT_FALSE(Ready(recorded));
  access_.Hold(false);
  ASSERT_TRUE(Ready(recorded, seconds(10)));
  ASSERT_EQ(access_.entries().size(), 1u);
  EXPECT_EQ(access_.entries()[0].action(), "a");
  EXPECT_EQ(access_.entries()[0].count(), 1);
}

TEST_F(AuditTrailTest, EntriesThatComeMeanwhileGoTogether) {
  access_.Hold(true);
  std::vector<std::future<void>> recorded;
  recorded.push_back(Record("first"));
  access_.AwaitBatches(1);
  for (int i = 0; i < 100; ++i) recorded.push_back(Record(std::to_string(i)));
  access_.Hold(false);
  for (const auto& one : recorded) ASSERT_TRUE(Ready(one, seconds(10)));
  const auto entries = access_.entries();
  std::set<std::string> names;
  for (const auto& entry : entries) names.insert(entry.name());
  EXPECT_EQ(names.size(), 101u) << "every entry has a name of its own";
  EXPECT_EQ(entries[1].action(), "0") << "in their order";
  EXPECT_LE(access_.batches(), 3);
}

TEST_F(AuditTrailTest, FailedWriteIsRepeatedWithTheSameNames) {
  access_.Fail({grpc::UNAVAILABLE, "down"});
  const std::future<void> recorded = Record("a");
  access_.AwaitBatches(2);
  EXPECT_FALSE(Ready(recorded));
  access_.Fail(grpc::Status::OK);
  ASSERT_TRUE(Ready(recorded, seconds(10)));
  EXPECT_EQ(access_.entries().size(), 1u);
  EXPECT_EQ(access_.names().size(), 1u) << "a repeat adds nothing when the first one did get through";
}

TEST_F(AuditTrailTest, WhoNeedNotWaitForTheLogWaitsForOneAttempt) {
  access_.Hold(true);
  const std::future<void> failed = Record("failed", AuditTrail::Wait::kUntilTried);
  access_.AwaitBatches(1);
  const std::future<void> meanwhile = Record("meanwhile", AuditTrail::Wait::kUntilTried);
  const std::future<void> succeeded = Record("succeeded");
  EXPECT_FALSE(Ready(failed, milliseconds(50))) << "the attempt is under way";
  EXPECT_FALSE(Ready(meanwhile));
  access_.Fail({grpc::UNAVAILABLE, "down"});
  access_.Hold(false);
  ASSERT_TRUE(Ready(failed, seconds(10)));
  ASSERT_TRUE(Ready(meanwhile, seconds(10)));
  access_.AwaitBatches(4);
  EXPECT_FALSE(Ready(succeeded));
  access_.Fail(grpc::Status::OK);
  ASSERT_TRUE(Ready(succeeded, seconds(10)));
  std::vector<std::string> actions;
  for (const auto& entry : access_.AwaitEntries(3)) actions.push_back(entry.action());
  EXPECT_EQ(actions, (std::vector<std::string>{"failed", "meanwhile", "succeeded"})) << "all are written all the same";
}

TEST_F(AuditTrailTest, WhoNeedNotWaitForTheLogHearsWhenItHasTheEntry) {
  access_.Hold(true);
  const std::future<void> failed = Record("failed", AuditTrail::Wait::kUntilTried);
  access_.AwaitBatches(1);
  EXPECT_FALSE(Ready(failed, milliseconds(50)));
  access_.Hold(false);
  ASSERT_TRUE(Ready(failed, seconds(10)));
  EXPECT_EQ(access_.entries().size(), 1u);
}

TEST_F(AuditTrailTest, EntryWhoseCallerHeardAlreadyKeepsItsPlace) {
  Start({.places = 1});
  access_.Fail({grpc::UNAVAILABLE, "down"});
  ASSERT_TRUE(Ready(Record("failed", AuditTrail::Wait::kUntilTried), seconds(10)));
  EXPECT_FALSE(trail_->Reserve().ok()) << "what waits for the log is bounded";
  access_.Fail(grpc::Status::OK);
  access_.AwaitEntries(1);
  while (!trail_->Reserve().ok()) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(AuditTrailTest, NothingMoreIsLetInWhenTheLogIsStuckOrFull) {
  Start({.places = 2, .patience = milliseconds(50)});
  access_.Hold(true);
  {
    const auto first = trail_->Reserve(), second = trail_->Reserve();
    const auto third = trail_->Reserve();
    EXPECT_EQ(status::Reason(third.status()), "AUDIT_UNAVAILABLE");
    EXPECT_EQ(third.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(status::RetryDelay(third.status()).has_value());
  }
  EXPECT_TRUE(trail_->Reserve().ok()) << "places are given back";
  const std::future<void> recorded = Record("a");
  while (trail_->Reserve().ok()) std::this_thread::sleep_for(milliseconds(1));
  access_.Hold(false);
  ASSERT_TRUE(Ready(recorded, seconds(10)));
  EXPECT_TRUE(trail_->Reserve().ok()) << "the log is written again";
}

TEST_F(AuditTrailTest, FloodOfRefusalsIsCounted) {
  for (int i = 0; i < 1000; ++i) {
    trail_->RecordRefusal(Entry("a", "CREDENTIALS_INVALID", ""));
    trail_->RecordRefusal(Entry("a", "ROLE_MISSING"));
    trail_->RecordRefusal(Entry("b", "ROLE_MISSING"));
  }
  const auto entries = access_.AwaitEntries(3);
  ASSERT_EQ(entries.size(), 3u);
  for (const auto& entry : entries) EXPECT_EQ(entry.count(), 1000) << entry.action();
}

TEST_F(AuditTrailTest, RefusalsOfManyKindsAreBounded) {
  access_.Hold(true);
  const std::future<void> blocking = Record("a");
  access_.AwaitBatches(1);
  for (int i = 0; i < 5000; ++i) trail_->RecordRefusal(Entry("a", "ROLE_MISSING", "tokens/" + std::to_string(i)));
  access_.Hold(false);
  ASSERT_TRUE(Ready(blocking, seconds(10)));
  const auto entries = access_.AwaitEntries(1002);
  ASSERT_EQ(entries.size(), 1002u);
  const auto of_nobody = std::find_if(entries.begin(), entries.end(), [](const AuditEntry& entry) { return entry.subject().empty(); });
  ASSERT_NE(of_nobody, entries.end());
  EXPECT_EQ(of_nobody->reason(), "ROLE_MISSING");
  EXPECT_EQ(of_nobody->count(), 4000);
}

TEST_F(AuditTrailTest, WritesWhatIsLeftAtTheEnd) {
  access_.Hold(true);
  const std::future<void> first = Record("a");
  access_.AwaitBatches(1);
  const std::future<void> second = Record("b");
  trail_->RecordRefusal(Entry("c", "ROLE_MISSING"));
  trail_->Close();
  access_.Hold(false);
  trail_.reset();
  EXPECT_TRUE(Ready(first));
  EXPECT_TRUE(Ready(second));
  EXPECT_EQ(access_.entries().size(), 3u);
}

TEST_F(AuditTrailTest, GivesUpAfterCloseSoThatCallsCanEnd) {
  Start({.patience = milliseconds(100)});
  access_.Fail({grpc::UNAVAILABLE, "down"});
  const std::future<void> recorded = Record("a");
  access_.AwaitBatches(1);
  EXPECT_FALSE(Ready(recorded, milliseconds(300))) << "not given up while it is open";
  trail_->Close();
  EXPECT_TRUE(Ready(recorded, seconds(10)));
}

TEST_F(AuditTrailTest, EndDoesNotSitOutThePauseAfterAFailure) {
  // The shortest of some, which a slow machine does not make shorter.
  auto shortest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    Start({});
    access_.Fail({grpc::UNAVAILABLE, "down"});
    const std::future<void> tried = Record("a", AuditTrail::Wait::kUntilTried);
    ASSERT_TRUE(Ready(tried, seconds(10)));
    access_.Fail(grpc::Status::OK);
    const auto begin = std::chrono::steady_clock::now();
    trail_.reset();
    shortest = std::min(shortest, std::chrono::steady_clock::now() - begin);
  }
  EXPECT_LT(shortest, milliseconds(100));
  EXPECT_EQ(access_.entries().size(), 5u);
}

TEST_F(AuditTrailTest, OneInvalidEntryAmongManyIsLostAlone) {
  access_.FindInvalid("bad");
  access_.Hold(true);
  std::vector<std::future<void>> ended;
  ended.push_back(Record("first"));
  access_.AwaitBatches(1);
  for (int i = 0; i < 100; ++i) ended.push_back(Record(i == 37 || i == 38 ? "bad" : std::to_string(i)));
  access_.Hold(false);
  for (const auto& one : ended) ASSERT_TRUE(Ready(one, seconds(10)));
  EXPECT_EQ(access_.entries().size(), 99u);
  EXPECT_LT(access_.batches(), 40);
}

TEST_F(AuditTrailTest, EntryThatAccessNeverTakesHoldsUpNobody) {
  access_.Fail({grpc::INVALID_ARGUMENT, "bad"});
  EXPECT_TRUE(Ready(Record("a"), seconds(10)));
}

}  // namespace
}  // namespace peiling::gateway
