// Several openers of one store at the same time, as several processes are.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/common/status/errors.h"
#include "tests/contract/store_contract.h"

namespace peiling::storage {

namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kWave[] = "surveys/s/waves/w";

std::vector<std::string> Values(Store& store) {
  std::vector<std::string> values;
  auto events = store.ReadFeed(kWave, 0, 100'000);
  EXPECT_TRUE(events.ok()) << events.status();
  if (!events.ok()) return values;
  for (const FeedEvent& event : *events) {
    EXPECT_EQ(event.sequence, values.size() + 1);
    values.push_back(event.value);
  }
  return values;
}

}  // namespace

TEST_P(SharedStoreContract, WhatOneCommitsTheOthersSeeAtOnce) {
  ASSERT_TRUE(Commit({kWave, {{"a", "1"}}, {}, {"first"}}).ok());
  EXPECT_EQ((*other_->Get(kWave, "a"))->value, "1");
  EXPECT_EQ(*other_->Count(kWave, ""), 1u);
  EXPECT_THAT(*other_->Partitions(""), ElementsAre(kWave));
  EXPECT_EQ(*other_->LastSequence(kWave), 1u);
  EXPECT_TRUE(*other_->WaitFeed(kWave, 0, milliseconds(20'000)));
  EXPECT_THAT(Values(*other_), ElementsAre("first"));
  ASSERT_TRUE(Delete("a").ok());
  EXPECT_FALSE((*other_->Get(kWave, "a")).has_value());
}

TEST_P(SharedStoreContract, VersionsExcludeEachOther) {
  ASSERT_TRUE(Put("a", "1", 0).ok());
  const absl::Status late = other_->Commit({kWave, {{"a", "2", 0}}}).status();
  EXPECT_EQ(status::Reason(late), "CONCURRENT_CHANGE");
  ASSERT_TRUE(other_->Commit({kWave, {{"a", "2", 1}}}).ok());
  EXPECT_EQ(Put("a", "3", 1).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Commit({kWave, {{"b", "1"}}, {{"a", 1}}}).code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(Commit({kWave, {{"b", "1"}}, {{"a", 2}}}).ok());
}

TEST_P(SharedStoreContract, TheyWriteOneFeed) {
  ASSERT_TRUE(Commit({kWave, {}, {}, {"first"}}).ok());
  EXPECT_EQ(other_->Commit({kWave, {}, {}, {"second"}})->first_sequence, 2u);
  EXPECT_EQ(store_->Commit({kWave, {}, {}, {"third", "fourth"}})->first_sequence, 3u);
  EXPECT_EQ(other_->Commit({kWave, {{"a", "1"}}})->last_sequence, 4u);
  EXPECT_THAT(Values(*store_), ElementsAre("first", "second", "third", "fourth"));
}

TEST_P(SharedStoreContract, ACommitWakesWhoWaitsInAnother) {
  auto woken = std::async(std::launch::async, [this] { return other_->WaitFeed(kWave, 0, milliseconds(20'000)); });
  std::this_thread::sleep_for(milliseconds(50));
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(Commit({kWave, {}, {}, {"event"}}).ok());
  const auto grown = woken.get();
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_TRUE(*grown);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(5'000));
  EXPECT_THAT(Values(*other_), ElementsAre("event"));
}

TEST_P(SharedStoreContract, OneInterruptedOrClosedLeavesTheOthers) {
  other_->Interrupt();
  EXPECT_FALSE(*store_->WaitFeed(kWave, 0, milliseconds(1)));
  other_.reset();
  ASSERT_TRUE(Commit({kWave, {}, {}, {"event"}}).ok());
  EXPECT_TRUE(*store_->WaitFeed(kWave, 0, milliseconds(0)));
}

TEST_P(SharedStoreContract, OfChangesOfAllToOneDocumentNoneIsLost) {
  constexpr int kCallers = 6, kIncrements = 15;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, store = caller % 2 == 0 ? store_.get() : other_.get()] {
      for (int done = 0; done < kIncrements;) {
        auto document = store->Get(kWave, "counter");
        ASSERT_TRUE(document.ok()) << document.status();
        const uint64_t version = *document ? (*document)->version : 0;
        const std::string next = std::to_string(version + 1);
        const absl::Status status = store->Commit({kWave, {{"counter", next, version, 0}}, {}, {next}}).status();
        if (status.ok()) ++done;
        ASSERT_TRUE(status.ok() || status.code() == absl::StatusCode::kAborted) << status;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  std::vector<std::string> want;
  for (int i = 1; i <= kCallers * kIncrements; ++i) want.push_back(std::to_string(i));
  // What another committed may take a moment to be shown.
  for (Store* store : {store_.get(), other_.get()}) {
    EXPECT_TRUE(*store->WaitFeed(kWave, want.size() - 1, milliseconds(20'000)));
    EXPECT_EQ(Values(*store), want);
  }
  const auto counter = *store_->Get(kWave, "counter");
  ASSERT_TRUE(counter.has_value());
  EXPECT_EQ(counter->value, want.back());
  EXPECT_EQ(counter->sequence, want.size());
}

TEST_P(SharedStoreContract, TwoNamesAreTwoStores) {
  auto stranger = OpenStore(place_->address(), place_->name() + "-of-another");
  ASSERT_TRUE(stranger.ok()) << stranger.status();
  ASSERT_TRUE(Commit({kWave, {{"a", "1"}}, {}, {"event"}}).ok());
  EXPECT_FALSE((*(*stranger)->Get(kWave, "a")).has_value());
  EXPECT_THAT(*(*stranger)->Partitions(""), IsEmpty());
  EXPECT_THAT(*(*stranger)->ReadFeed(kWave, 0, 10), IsEmpty());
  EXPECT_TRUE((*stranger)->Commit({kWave, {{"a", "theirs", 0}}}).ok());
  EXPECT_EQ((*other_->Get(kWave, "a"))->value, "1");
}

}  // namespace peiling::storage
