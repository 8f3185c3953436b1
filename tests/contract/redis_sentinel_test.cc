// The Redis store with a replica and Sentinels: nothing is acknowledged or shown that a failover could lose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/redis_faults.h"
#include "tests/contract/redis_servers.h"

namespace peiling::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kData[] = "test:{surveys/s/waves/w}:data";

std::vector<std::string> Values(Store& store, uint64_t after = 0) {
  std::vector<std::string> values;
  auto events = store.ReadFeed(kWave, after, 100'000);
  EXPECT_TRUE(events.ok()) << events.status();
  if (!events.ok()) return values;
  for (const FeedEvent& event : *events) values.push_back(event.value);
  return values;
}

TEST(RedisSentinel, WhatNoReplicaHasIsNeitherAcknowledgedNorShown) {
  SentinelRedis redis;
  auto store = Opened(redis.address() + "?wait-timeout-ms=200");
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(Put(*store, "a", "value", {"first"}).ok());
  EXPECT_TRUE(store->Confirm(kWave).ok());

  redis.replica().Pause();
  const absl::Status status = Put(*store, "b", "value", {"second"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status::Reason(status), "STORAGE_NOT_REPLICATED");
  // It stands there, but nothing may be promised on the strength of it.
  EXPECT_TRUE((*store->Get(kWave, "b")).has_value());
  EXPECT_EQ(status::Reason(store->Confirm(kWave)), "STORAGE_NOT_REPLICATED");
  auto other = Opened(redis.address() + "?wait-timeout-ms=200");
  ASSERT_NE(other, nullptr);
  for (Store* one : {store.get(), other.get()}) {
    EXPECT_THAT(Values(*one), ElementsAre("first"));
    EXPECT_FALSE(*one->WaitFeed(kWave, 1, milliseconds(100)));
  }
  // Nobody can know whether "second" was shown to somebody before a failover, or by another process.
  for (Store* one : {store.get(), other.get()}) EXPECT_EQ(status::Reason(one->LastSequence(kWave).status()), "STORAGE_NOT_REPLICATED");
  AwaitReason("STORAGE_NOT_REPLICATED", [&] { return store->Health(); });

  redis.replica().Continue();
  AwaitReason("", [&] { return store->Confirm(kWave); });
  for (Store* one : {store.get(), other.get()}) {
    EXPECT_THAT(Values(*one), ElementsAre("first", "second"));
    EXPECT_EQ(*one->LastSequence(kWave), 2u);
  }
  AwaitReason("", [&] { return store->Health(); });
  EXPECT_TRUE(Put(*store, "c", "value", {"third"}).ok());
}

TEST(RedisSentinel, AFeedWhoseMarkWasLeftBehindIsShownAgain) {
  SentinelRedis redis;
  auto store = Opened(redis.address());
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(Put(*store, "a", "value", {"first", "second", "third"}).ok());
  store.reset();
  const auto leave_behind = [&](const std::string& mark) { redis.primary().Ask({"HSET", kData, "#durable", mark}); };

  leave_behind("1");
  auto waiting = Opened(redis.address());
  EXPECT_THAT(Values(*waiting), ElementsAre("first"));
  EXPECT_TRUE(*waiting->WaitFeed(kWave, 1, seconds(15)));
  EXPECT_THAT(Values(*waiting), SizeIs(3));
  EXPECT_EQ(redis.primary().Ask({"HGET", kData, "#durable"}), "3");

  // Who asks for the end must not be told of one before what somebody was shown.
  leave_behind("0");
  auto asking = Opened(redis.address());
  EXPECT_EQ(*asking->LastSequence(kWave), 3u);
  // And whoever knows better does not forget it.
  leave_behind("0");
  EXPECT_THAT(Values(*waiting), SizeIs(3));
  EXPECT_EQ(*waiting->LastSequence(kWave), 3u);

  // A process that shows its own event and ends before the mark says so: who has written here too must not tell of an earlier end.
  ASSERT_TRUE(Put(*waiting, "a", "value", {"fourth"}).ok());
  Await(redis.primary(), {"HGET", kData, "#durable"}, "4");
  ASSERT_TRUE(Put(*asking, "a", "value", {"fifth"}).ok());
  Await(redis.primary(), {"HGET", kData, "#durable"}, "5");
  leave_behind("4");
  asking.reset();
  EXPECT_EQ(*waiting->LastSequence(kWave), 5u);
}

TEST(RedisSentinel, AnOpenStoreWithoutReplicasCanBeRead) {
  SentinelRedis redis;
  {
    auto store = Opened(redis.address());
    ASSERT_NE(store, nullptr);
    ASSERT_TRUE(Put(*store, "a").ok());
  }
  redis.replica().Kill();
  Await(redis.primary(), {"INFO", "replication"}, "connected_slaves:0");
  auto store = Opened(redis.address() + "?wait-timeout-ms=100");
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(status::Reason(store->Health()), "STORAGE_NOT_REPLICATED");
  EXPECT_TRUE((*store->Get(kWave, "a")).has_value());
  EXPECT_EQ(status::Reason(Put(*store, "b")), "STORAGE_NOT_REPLICATED");
}

TEST(RedisSentinel, WhatWasReadBeforeAFailoverIsNeitherCommittedOnNorConfirmed) {
  SentinelRedis redis;
  const std::string address = redis.address() + "?wait-timeout-ms=200";
  auto store = Opened(address);
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(Put(*store, "a", "first").ok());
  RedisServer &first = redis.primary(), &second = redis.replica();
  second.Kill();
  EXPECT_EQ(status::Reason(Put(*store, "a", "lost")), "STORAGE_NOT_REPLICATED");
  auto read = store->Get(kWave, "a");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->value, "lost");
  first.Kill();
  second.Start();
  redis.AwaitFailover();
  first.Start();
  redis.AwaitReplica();

  // The version that was lost is now another's.
  {
    auto other = Opened(address);
    ASSERT_NE(other, nullptr);
    AwaitReason("", [&] { return Put(*other, "a", "other"); });
    EXPECT_EQ((*other->Get(kWave, "a"))->version, (*read)->version);
  }
  const auto commit = [&](uint64_t version) { return store->Commit({kWave, {{"a", "mine", version}}, {}, {}}).status(); };
  EXPECT_EQ(status::Reason(store->Confirm(kWave)), "STORAGE_UNAVAILABLE");
  AwaitReason("CONCURRENT_CHANGE", [&] { return commit((*read)->version); });
  read = store->Get(kWave, "a");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->value, "other");
  EXPECT_TRUE(store->Confirm(kWave).ok());
  EXPECT_TRUE(commit((*read)->version).ok());
}

// Writers and a reader of the feed who go on whatever happens, in several processes' stores.
class Traffic {
 public:
  explicit Traffic(const std::string& address) {
    for (int i = 0; i < 3; ++i) stores_.push_back(Opened(address));
    for (int writer = 0; writer < kWriters; ++writer) threads_.emplace_back([this, writer] { Write(writer); });
    threads_.emplace_back([this] { Follow(); });
  }

  // Waits until so many more were acknowledged.
  void AwaitCommits(size_t more) {
    const size_t want = acknowledged_ + more;
    const auto end = steady_clock::now() + seconds(30);
    while (acknowledged_ < want && steady_clock::now() < end) std::this_thread::sleep_for(milliseconds(10));
    EXPECT_GE(acknowledged_, want);
  }

  // Ends it and checks everything that was said.
  void Check(const std::string& address) {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    auto store = Opened(address);
    ASSERT_NE(store, nullptr);
    // The end first: it brings the mark up to what was shown.
    const uint64_t last = *store->LastSequence(kWave);
    const auto values = Values(*store);
    EXPECT_EQ(values.size(), last);
    for (int writer = 0; writer < kWriters; ++writer) {
      for (const auto& [key, sequence] : written_[writer]) {
        auto document = store->Get(kWave, key);
        ASSERT_TRUE(document.ok()) << document.status();
        ASSERT_TRUE(document->has_value()) << key << " was acknowledged and is lost";
        EXPECT_EQ((*document)->sequence, sequence);
        ASSERT_LE(sequence, values.size());
        EXPECT_EQ(values[sequence - 1], key);
      }
    }
    ASSERT_LE(seen_.size(), values.size());
    for (size_t i = 0; i < seen_.size(); ++i) ASSERT_EQ(seen_[i], values[i]) << "event " << i + 1 << " was shown as another";
    EXPECT_GT(seen_.size(), 0u);
  }

 private:
  static constexpr int kWriters = 4;

  void Write(int writer) {
    Store& store = *stores_[static_cast<size_t>(writer) % 2];
    for (int i = 0; !stop_; ++i) {
      const std::string key = std::to_string(writer) + "/" + std::to_string(i);
      auto result = store.Commit({kWave, {{key, "value", 0, 0}}, {}, {key}});
      if (result.ok()) {
        written_[writer].emplace_back(key, result->first_sequence);
        ++acknowledged_;
      } else if (result.status().code() != absl::StatusCode::kUnavailable) {
        ADD_FAILURE() << result.status();
        return;
      }
    }
  }

  void Follow() {
    Store& store = *stores_[2];
    while (!stop_) {
      auto grown = store.WaitFeed(kWave, seen_.size(), milliseconds(200));
      if (!grown.ok() || !*grown) continue;
      auto events = store.ReadFeed(kWave, seen_.size(), 100);
      if (!events.ok()) continue;
      for (FeedEvent& event : *events) {
        EXPECT_EQ(event.sequence, seen_.size() + 1);
        seen_.push_back(std::move(event.value));
      }
    }
  }

  std::vector<std::unique_ptr<Store>> stores_;
  std::atomic<bool> stop_ = false;
  std::atomic<size_t> acknowledged_ = 0;
  std::vector<std::pair<std::string, uint64_t>> written_[kWriters];
  std::vector<std::string> seen_;
  std::vector<std::thread> threads_;
};

TEST(RedisSentinel, AFailoverLosesNothingThatWasAcknowledgedOrShown) {
  SentinelRedis redis;
  Traffic traffic(redis.address() + "?timeout-ms=500&wait-timeout-ms=300");
  traffic.AwaitCommits(200);
  // The first is killed and comes back as a replica; the second hangs, and wakes up as one who still thinks it is the primary.
  RedisServer& first = redis.primary();
  first.Kill();
  redis.AwaitFailover();
  first.Start();
  redis.AwaitReplica();
  traffic.AwaitCommits(200);
  RedisServer& second = redis.primary();
  second.Pause();
  redis.AwaitFailover();
  second.Continue();
  redis.AwaitReplica();
  traffic.AwaitCommits(200);
  traffic.Check(redis.address());
}

}  // namespace
}  // namespace peiling::storage
