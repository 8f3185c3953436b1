#include "services/analytics/snapshot_store.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {
namespace {

using testing::ElementsAre;

constexpr char kWave[] = "surveys/s/waves/2022";

Snapshot Of(uint64_t records, std::vector<std::string> parts) {
  Snapshot snapshot;
  snapshot.header.set_format(Snapshot::kFormat);
  snapshot.header.mutable_position()->set_records(records);
  snapshot.parts = std::move(parts);
  return snapshot;
}

class SnapshotStoreTest : public testing::Test {
 protected:
  SnapshotStoreTest() {
    auto store = storage::OpenStore("sqlite::memory:", "analytics");
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    snapshots_ = std::make_unique<SnapshotStore>(*store_);
    wanted_.set_format(Snapshot::kFormat);
  }

  SnapshotStore::Stored Look() {
    const auto stored = snapshots_->Look(kWave);
    EXPECT_TRUE(stored.ok()) << stored.status();
    return *stored;
  }
  // Stops before the part of this number, when there is one.
  absl::Status Write(Snapshot snapshot, const SnapshotStore::Stored& seen, int parts = 100) {
    return snapshots_->Write(kWave, seen, std::move(snapshot), [&parts] { return parts-- > 0; });
  }
  // The parts that are read; fails the test when there are none.
  std::vector<std::string> Parts() {
    const auto snapshot = snapshots_->Read(kWave, wanted_);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() && *snapshot ? (*snapshot)->parts : std::vector<std::string>{"none"};
  }
  std::string ReasonOfRead() { return status::Reason(snapshots_->Read(kWave, wanted_).status()); }

  std::vector<std::string> Keys() {
    std::vector<std::string> keys;
    const auto documents = store_->List(kWave, "", "", 1000);
    for (const auto& document : *documents) keys.push_back(document.key);
    return keys;
  }
  // Another value for a document; nullopt: none.
  void Put(const std::string& key, std::optional<std::string> value) {
    ASSERT_TRUE(store_->Commit({.partition = kWave, .writes = {{.key = key, .value = std::move(value)}}}).ok());
  }
  std::string Value(const std::string& key) { return (*store_->Get(kWave, key))->value; }

  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<SnapshotStore> snapshots_;
  snapshot::Header wanted_;
};

TEST_F(SnapshotStoreTest, GivesBackTheLastOneWritten) {
  EXPECT_EQ(Parts(), std::vector<std::string>{"none"});
  ASSERT_TRUE(Write(Of(1, {"a", "b", "c", "d", "e"}), Look()).ok());
  EXPECT_THAT(Parts(), ElementsAre("a", "b", "c", "d", "e"));
  ASSERT_TRUE(Write(Of(2, {"f"}), Look()).ok());
  EXPECT_THAT(Parts(), ElementsAre("f"));
  EXPECT_EQ(Look().header->position().records(), 2u);
  ASSERT_TRUE(Write(Of(3, {}), Look()).ok());
  EXPECT_THAT(Parts(), ElementsAre());
}

// A store remembers versions of what was deleted, so new keys for every snapshot would fill it.
TEST_F(SnapshotStoreTest, KeepsOneSnapshotAndUsesItsKeysAgain) {
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(Write(Of(i, {"a", "b"}), Look()).ok());
  EXPECT_THAT(Keys(), ElementsAre("claim", "header", "part/0/000000", "part/0/000001"));
  EXPECT_EQ(store_->Save(kWave, "", 1000)->size(), 6u);
}

TEST_F(SnapshotStoreTest, AHalfWrittenOneIsNeverRead) {
  EXPECT_TRUE(absl::IsCancelled(Write(Of(1, {"x", "y", "z"}), Look(), 2)));
  EXPECT_EQ(Parts(), std::vector<std::string>{"none"});
  ASSERT_TRUE(Write(Of(1, {"a", "b"}), Look()).ok());
  EXPECT_TRUE(absl::IsCancelled(Write(Of(2, {"x", "y", "z"}), Look(), 2)));
  EXPECT_THAT(Parts(), ElementsAre("a", "b"));
  ASSERT_TRUE(Write(Of(3, {"c"}), Look()).ok());
  EXPECT_THAT(Parts(), ElementsAre("c"));
}

TEST_F(SnapshotStoreTest, OfTwoWritersTheLaterGoesOnAndNothingIsMixed) {
  ASSERT_TRUE(Write(Of(1, {"a", "b"}), Look()).ok());
  const auto seen = Look();
  int parts = 0;
  // Another begins and ends while this one is under way.
  const auto first = snapshots_->Write(kWave, seen, Of(2, {"x", "y", "z"}), [&] {
    if (++parts == 2) {
      EXPECT_TRUE(Write(Of(3, {"c", "d"}), Look()).ok());
    }
    return true;
  });
  EXPECT_TRUE(absl::IsAborted(first)) << first;
  EXPECT_THAT(Parts(), ElementsAre("c", "d"));
  EXPECT_EQ(Look().header->position().records(), 3u);
  EXPECT_TRUE(absl::IsAborted(Write(Of(4, {"x"}), seen)));
  EXPECT_THAT(Parts(), ElementsAre("c", "d"));
}

TEST_F(SnapshotStoreTest, WhatIsDamagedIsNotReadAndIsReplaced) {
  const auto flipped = [](std::string bytes) {
    bytes[bytes.size() / 2] ^= 1;
    return bytes;
  };
  const std::vector<std::pair<const char*, std::function<void()>>> damages = {
      {"a part is missing", [&] { Put("part/0/000001", std::nullopt); }},
      {"a part is another", [&] { Put("part/0/000001", "c"); }},
      {"the header has another bit", [&] { Put("header", flipped(Value("header"))); }},
      {"the header is something else", [&] { Put("header", "?"); }},
      {"the header is empty", [&] { Put("header", ""); }},
  };
  for (const auto& [what, damage] : damages) {
    // Twice, so that it is in place 0 each time.
    while (!Look().header || Look().header->place() != 0) ASSERT_TRUE(Write(Of(1, {"a", "b"}), Look()).ok());
    damage();
    EXPECT_EQ(ReasonOfRead(), "SNAPSHOT_DAMAGED") << what;
    ASSERT_TRUE(Write(Of(2, {"d"}), Look()).ok());
    EXPECT_THAT(Parts(), ElementsAre("d")) << what;
  }
}

TEST_F(SnapshotStoreTest, OneThatDoesNotFitIsLeftUnread) {
  ASSERT_TRUE(Write(Of(1, {"a", "b"}), Look()).ok());
  Put("part/0/000001", std::nullopt);
  wanted_.set_format(Snapshot::kFormat + 1);
  EXPECT_EQ(ReasonOfRead(), "SNAPSHOT_DOES_NOT_FIT");
}

TEST_F(SnapshotStoreTest, WavesAreApart) {
  ASSERT_TRUE(Write(Of(1, {"a"}), Look()).ok());
  EXPECT_FALSE(snapshots_->Look("surveys/s/waves/2019")->header);
  EXPECT_EQ(*snapshots_->Read("surveys/s/waves/2019", wanted_), std::nullopt);
}

}  // namespace
}  // namespace peiling::analytics
