#include "services/gateway/audit_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

  // Records an entry; the future is ready when it is in the log.
  std::future<void> Record(const std::string& action) {
    auto done = std::make_shared<std::promise<void>>();
    std::future<void> recorded = done->get_future();
    auto place = trail_->Reserve();
    EXPECT_TRUE(place.ok()) << place.status();
    trail_->Record(Entry(action), place.ok() ? *std::move(place) : nullptr, [done] { done->set_value(); });
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
  EXPECT_EQ(access_.AwaitEntries(1001).size(), 1001u);
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

TEST_F(AuditTrailTest, EntryThatAccessNeverTakesHoldsUpNobody) {
  access_.Fail({grpc::INVALID_ARGUMENT, "bad"});
  EXPECT_TRUE(Ready(Record("a"), seconds(10)));
}

}  // namespace
}  // namespace peiling::gateway
