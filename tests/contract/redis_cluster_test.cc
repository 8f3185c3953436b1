// The Redis store on a Cluster whose slots move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/common/storage/redis_keys.h"
#include "tests/contract/redis_faults.h"
#include "tests/contract/redis_servers.h"

namespace peiling::storage {
namespace {

using std::chrono::milliseconds;
using ::testing::SizeIs;

constexpr int kAll = 1000;

class RedisCluster : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(store_, nullptr); }

  // Everything that can be asked of a partition works and says so many documents and events.
  void ExpectAllWorks(Store& store, size_t count) {
    EXPECT_TRUE((*store.Get(kWave, "0")).has_value());
    EXPECT_THAT(*store.List(kWave, "", "", kAll), SizeIs(count));
    EXPECT_EQ(*store.Count(kWave, ""), count);
    EXPECT_THAT(*store.ReadFeed(kWave, 0, kAll), SizeIs(count));
    EXPECT_EQ(*store.LastSequence(kWave), count);
    EXPECT_TRUE(*store.WaitFeed(kWave, count - 1, milliseconds(0)));
    EXPECT_THAT(*store.Partitions(""), SizeIs(1));
    EXPECT_TRUE(store.Confirm(kWave).ok());
  }

  absl::Status PutNext(Store& store) {
    const std::string key = std::to_string(count_);
    absl::Status status = Put(store, key, key, {key});
    if (status.ok()) ++count_;
    return status;
  }

  ClusterRedis redis_;
  const int slot_ = RedisKeys("test", kWave).slot;
  const size_t from_ = static_cast<size_t>(slot_) * 3 / kRedisSlots, to_ = (from_ + 1) % 3;
  std::unique_ptr<Store> store_ = Opened(redis_.address());
  size_t count_ = 0;
};

TEST_F(RedisCluster, APartitionIsServedWhileItsSlotMoves) {
  auto idle = Opened(redis_.address());
  ASSERT_TRUE(PutNext(*store_).ok());
  ExpectAllWorks(*idle, 1);
  redis_.BeginMove(slot_, from_, to_);
  ASSERT_TRUE(PutNext(*store_).ok());
  ExpectAllWorks(*store_, 2);
  // All keys are there, the Cluster does not know yet: ASK.
  EXPECT_EQ(redis_.MoveKeys(slot_, from_, to_, kAll), 3);
  ASSERT_TRUE(PutNext(*store_).ok());
  ExpectAllWorks(*store_, 3);
  // The Cluster knows, the stores do not: MOVED.
  redis_.EndMove(slot_, to_);
  ASSERT_TRUE(PutNext(*store_).ok());
  ExpectAllWorks(*store_, 4);
  ExpectAllWorks(*idle, 4);
}

TEST_F(RedisCluster, HalfAPartitionIsWaitedFor) {
  ASSERT_TRUE(PutNext(*store_).ok());
  redis_.BeginMove(slot_, from_, to_);
  EXPECT_EQ(redis_.MoveKeys(slot_, from_, to_, 1), 1);
  // Neither server has all of it: no answer rather than a wrong one.
  EXPECT_EQ(status::Reason(PutNext(*store_)), "STORAGE_UNAVAILABLE");
  std::thread mover([this] {
    std::this_thread::sleep_for(milliseconds(200));
    redis_.MoveKeys(slot_, from_, to_, kAll);
  });
  EXPECT_TRUE(PutNext(*store_).ok());
  mover.join();
  ExpectAllWorks(*store_, 2);
}

TEST_F(RedisCluster, NothingIsLostOrDoneTwiceWhileASlotGoesToAndFro) {
  ASSERT_TRUE(PutNext(*store_).ok());
  std::atomic<bool> stop = false;
  std::thread mover([&] {
    for (int round = 0; !stop; ++round) {
      const bool back = round % 2 == 1;
      redis_.BeginMove(slot_, back ? to_ : from_, back ? from_ : to_);
      while (redis_.MoveKeys(slot_, back ? to_ : from_, back ? from_ : to_, 1) > 0) std::this_thread::sleep_for(milliseconds(3));
      redis_.EndMove(slot_, back ? from_ : to_);
    }
  });
  for (int i = 0; i < 300; ++i) {
    const absl::Status status = PutNext(*store_);
    EXPECT_TRUE(status.ok()) << status;
  }
  stop = true;
  mover.join();
  ExpectAllWorks(*store_, 301);
}

TEST_F(RedisCluster, PartitionsAreSpread) {
  std::vector<std::string> want;
  for (int i = 0; i < 30; ++i) {
    want.push_back("p/" + std::to_string(100 + i));
    ASSERT_TRUE(store_->Commit({want.back(), {{"a", "value"}}, {}, {"event"}}).ok());
  }
  EXPECT_EQ(*store_->Partitions("p/"), want);
  for (size_t i = 0; i < 3; ++i) EXPECT_NE(redis_.server(i).Ask({"DBSIZE"}), "0");
}

}  // namespace
}  // namespace peiling::storage
