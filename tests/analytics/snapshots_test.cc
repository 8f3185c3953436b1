#include "services/analytics/snapshots.h"

#include <functional>
#include <thread>

#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "tests/analytics/random_wave.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr char kWave[] = "surveys/s/waves/2022";

// A replica over a store that it shares with others.
class Replica {
 public:
  Replica(Snapshots::OpenStore open, milliseconds between) {
    auto made = Snapshots::Make(std::move(open), waves_, between);
    EXPECT_TRUE(made.ok()) << made.status();
    snapshots_ = *std::move(made);
  }

  // Goes on from what was saved, or begins anew.
  void Begin() {
    wave_ = snapshots_->Load(samples::Definition(), absl::UTCTimeZone());
    if (wave_ == nullptr) wave_ = std::make_shared<LiveWave>(samples::Definition(), absl::UTCTimeZone());
    waves_->Place(kWave, wave_);
    wave_->SetCaughtUp();
    snapshots_->Start();
  }
  LiveWave& wave() { return *wave_; }
  Snapshots& snapshots() { return *snapshots_; }

 private:
  const std::shared_ptr<LiveWaves> waves_ = std::make_shared<LiveWaves>();
  std::unique_ptr<Snapshots> snapshots_;
  std::shared_ptr<LiveWave> wave_;
};

class SnapshotsTest : public testing::Test {
 protected:
  SnapshotsTest() : store_(*storage::OpenStore("sqlite::memory:", "analytics")), stored_(*store_) {}

  Snapshots::OpenStore Open() {
    return [this]() -> absl::StatusOr<std::shared_ptr<storage::Store>> { return store_; };
  }
  // Sequence of the record feed that is saved; 0: none.
  uint64_t Saved() {
    const auto stored = stored_.Look(kWave);
    EXPECT_TRUE(stored.ok()) << stored.status();
    return stored->header ? stored->header->position().records() : 0;
  }
  bool BecomesSaved(uint64_t records) {
    for (int i = 0; i < 1000 && Saved() != records; ++i) std::this_thread::sleep_for(milliseconds(5));
    return Saved() == records;
  }

  const std::shared_ptr<storage::Store> store_;
  SnapshotStore stored_;
  samples::RandomEvents events_{1};
};

TEST_F(SnapshotsTest, SavesFromTimeToTimeWhatHasChanged) {
  Replica replica(Open(), milliseconds(5));
  replica.Begin();
  replica.wave().Apply(events_.Next());
  EXPECT_TRUE(BecomesSaved(1));
  replica.wave().Apply(events_.Next());
  EXPECT_TRUE(BecomesSaved(2));
  replica.snapshots().Stop();
  const uint64_t claims = stored_.Look(kWave)->claim;
  // Nothing changes, also not by going on from it.
  Replica next(Open(), milliseconds(5));
  next.Begin();
  std::this_thread::sleep_for(milliseconds(50));
  next.snapshots().Stop();
  EXPECT_EQ(stored_.Look(kWave)->claim, claims);
}

TEST_F(SnapshotsTest, SavesOnceMoreAtTheEndAndGoesOnFromThere) {
  Replica replica(Open(), hours(1));
  replica.Begin();
  for (int i = 0; i < 40; ++i) replica.wave().Apply(events_.Next());
  EXPECT_EQ(Saved(), 0u);
  replica.snapshots().Stop();
  EXPECT_EQ(Saved(), 40u);
  Replica next(Open(), hours(1));
  next.Begin();
  EXPECT_EQ(samples::AllAnswers(next.wave()), samples::AllAnswers(replica.wave()));
}

TEST_F(SnapshotsTest, AWaveThatIsNotCaughtUpIsNotSaved) {
  const auto waves = std::make_shared<LiveWaves>();
  const auto wave = std::make_shared<LiveWave>(samples::Definition(), absl::UTCTimeZone());
  wave->Apply(events_.Next());
  waves->Announce("surveys/s/waves/2019");
  waves->Place(kWave, wave);
  const auto snapshots = *Snapshots::Make(Open(), waves, hours(1));
  snapshots->Start();
  snapshots->Stop();
  EXPECT_EQ(Saved(), 0u);
}

TEST_F(SnapshotsTest, LeavesItToAnotherThatSavedInTheMeantime) {
  Replica one(Open(), hours(1)), other(Open(), milliseconds(5));
  one.Begin();
  other.Begin();
  const auto event = events_.Next();
  other.wave().Apply(event);
  ASSERT_TRUE(BecomesSaved(1));
  other.snapshots().Stop();
  one.wave().Apply(event);
  one.wave().Apply(events_.Next());
  one.snapshots().Stop();
  EXPECT_EQ(Saved(), 1u);
}

TEST_F(SnapshotsTest, ReplacesWhatIsOfAFeedThatIsNoMore) {
  Replica replica(Open(), hours(1));
  replica.Begin();
  for (int i = 0; i < 10; ++i) replica.wave().Apply(events_.Next());
  replica.snapshots().Stop();
  ASSERT_EQ(Saved(), 10u);
  // Counted anew, and not as far yet.
  const auto waves = std::make_shared<LiveWaves>();
  const auto wave = std::make_shared<LiveWave>(samples::Definition(), absl::UTCTimeZone());
  samples::RandomEvents others(2);
  wave->Apply(others.Next());
  wave->SetCaughtUp();
  waves->Place(kWave, wave);
  const auto snapshots = *Snapshots::Make(Open(), waves, hours(1));
  snapshots->Start();
  snapshots->Stop();
  EXPECT_EQ(Saved(), 1u);
}

TEST_F(SnapshotsTest, AStoreThatIsNotThereIsWaitedForByNobody) {
  std::atomic<bool> there = false;
  const auto open = [&]() -> absl::StatusOr<std::shared_ptr<storage::Store>> {
    if (!there) return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "not there");
    return store_;
  };
  Replica replica(open, milliseconds(5));
  replica.Begin();
  replica.wave().Apply(events_.Next());
  EXPECT_EQ(Saved(), 0u);
  there = true;
  EXPECT_TRUE(BecomesSaved(1));
}

TEST_F(SnapshotsTest, AnAddressThatCanNeverDoIsAnError) {
  const auto open = [] { return storage::OpenStore("nowhere", "analytics"); };
  EXPECT_EQ(status::Reason(Snapshots::Make(open, std::make_shared<LiveWaves>(), hours(1)).status()), "STORAGE_ADDRESS");
}

TEST_F(SnapshotsTest, ADamagedOneIsCountedAnewAndReplaced) {
  Replica replica(Open(), hours(1));
  replica.Begin();
  replica.wave().Apply(events_.Next());
  replica.snapshots().Stop();
  ASSERT_TRUE(store_->Commit({.partition = kWave, .writes = {{.key = "part/0/000000", .value = "?"}}}).ok());
  Replica next(Open(), milliseconds(5));
  next.Begin();
  EXPECT_EQ(next.wave().Read().position().records(), 0u);
  samples::RandomEvents again(1);
  for (int i = 0; i < 2; ++i) next.wave().Apply(again.Next());
  EXPECT_TRUE(BecomesSaved(2));
  EXPECT_NE(next.snapshots().Load(samples::Definition(), absl::UTCTimeZone()), nullptr);
}

}  // namespace
}  // namespace peiling::analytics
