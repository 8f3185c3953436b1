#include "tests/contract/store_contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "peiling/survey/v1/feed.pb.h"
#include "services/common/status/errors.h"
#include "services/common/storage/receipts.h"
#include "services/common/storage/store.h"

namespace peiling::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using survey::v1::CaughtUp;
using survey::v1::FeedPosition;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr char kWave[] = "surveys/s/waves/w";
constexpr char kOtherWave[] = "surveys/s/waves/x";

}  // namespace

std::vector<std::pair<std::string, uint64_t>> StoreContract::Sequences() {
  auto documents = store_->List(kWave, "", "", 1000);
  EXPECT_TRUE(documents.ok()) << documents.status();
  std::vector<std::pair<std::string, uint64_t>> sequences;
  for (const Document& document : *documents) {
    sequences.emplace_back(document.key, document.sequence);
    EXPECT_EQ((*store_->Get(kWave, document.key))->sequence, document.sequence);
    EXPECT_EQ(store_->GetMany(kWave, {document.key})->front()->sequence, document.sequence);
  }
  return sequences;
}

void StoreContract::Open() {
  store_.reset();
  store_ = MustOpen(*place_);
  ASSERT_NE(store_, nullptr);
}

absl::Status StoreContract::Put(const std::string& key, const std::string& value, std::optional<uint64_t> expected) {
  return Commit({kWave, {{key, value, expected}}});
}

absl::Status StoreContract::Delete(const std::string& key, std::optional<uint64_t> expected) {
  return Commit({kWave, {{key, std::nullopt, expected}}});
}

std::pair<uint64_t, std::string> StoreContract::Get(const std::string& key, const std::string& partition) {
  auto document = store_->Get(partition, key);
  EXPECT_TRUE(document.ok()) << document.status();
  if (!document.ok() || !document->has_value()) return {0, ""};
  EXPECT_EQ((*document)->key, key);
  return {(*document)->version, (*document)->value};
}

std::vector<std::pair<uint64_t, std::string>> StoreContract::Feed(uint64_t after, size_t limit, const std::string& partition) {
  auto events = store_->ReadFeed(partition, after, limit);
  EXPECT_TRUE(events.ok()) << events.status();
  std::vector<std::pair<uint64_t, std::string>> result;
  if (events.ok()) {
    for (const FeedEvent& event : *events) result.emplace_back(event.sequence, event.value);
  }
  return result;
}

std::vector<std::string> StoreContract::Keys(const std::string& prefix, const std::string& after, size_t limit) {
  auto documents = store_->List(kWave, prefix, after, limit);
  EXPECT_TRUE(documents.ok()) << documents.status();
  std::vector<std::string> keys;
  if (documents.ok()) {
    for (const Document& document : *documents) keys.push_back(document.key);
  }
  return keys;
}

// ---- Commit

TEST_P(StoreContract, CommitsDocumentsAndEventsTogether) {
  auto result = store_->Commit({kWave, {{"a", "1"}, {"b", ""}}, {}, {"first", "second"}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->first_sequence, 1u);
  EXPECT_EQ(result->last_sequence, 2u);
  EXPECT_THAT(Get("a"), Pair(1, "1"));
  EXPECT_THAT(Get("b"), Pair(1, ""));
  EXPECT_THAT(Feed(), ElementsAre(Pair(1, "first"), Pair(2, "second")));
}

TEST_P(StoreContract, CommitWithoutEventsTellsWhereTheFeedStands) {
  ASSERT_TRUE(Commit({kWave, {}, {}, {"first"}}).ok());
  auto result = store_->Commit({kWave, {{"a", "1"}}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->first_sequence, 0u);
  EXPECT_EQ(result->last_sequence, 1u);
}

TEST_P(StoreContract, DocumentsTakeTheSequenceOfTheirEvent) {
  ASSERT_TRUE(Commit({kWave, {}, {}, {"before"}}).ok());
  const std::optional<size_t> none;
  ASSERT_TRUE(Commit({kWave, {{"a", "1", none, 0}, {"b", "1", none, 1}, {"c", "1"}, {"d", "1", none, 0}}, {}, {"x", "y"}}).ok());
  EXPECT_THAT(Sequences(), ElementsAre(Pair("a", 2), Pair("b", 3), Pair("c", 0), Pair("d", 2)));
  // The last write counts, whether it has an event or not.
  ASSERT_TRUE(Commit({kWave, {{"a", "2"}, {"b", std::nullopt, none, 0}, {"c", "2", none, 0}}, {}, {"z"}}).ok());
  EXPECT_THAT(Sequences(), ElementsAre(Pair("a", 0), Pair("c", 4), Pair("d", 2)));
  ASSERT_TRUE(Put("b", "again").ok());
  EXPECT_THAT(Sequences(), ElementsAre(Pair("a", 0), Pair("b", 0), Pair("c", 4), Pair("d", 2)));
}

TEST_P(StoreContract, AWriteNamesAnEventOfItsOwnBatch) {
  ASSERT_TRUE(Commit({kWave, {}, {}, {"of another batch"}}).ok());
  const std::vector<std::vector<std::string>> batches = {{}, {"event"}};
  for (size_t count = 0; count < batches.size(); ++count) {
    const absl::Status status = Commit({kWave, {{"a", "1", std::nullopt, count}}, {}, batches[count]});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status::Reason(status), "NO_SUCH_EVENT");
    EXPECT_THAT(Get("a"), Pair(0, ""));
  }
  EXPECT_EQ(*store_->LastSequence(kWave), 1u);
}

TEST_P(StoreContract, WhatWasReadCanBeConfirmedAndTheStoreIsWell) {
  EXPECT_TRUE(store_->Confirm("nowhere").ok());
  ASSERT_TRUE(Put("a", "1").ok());
  EXPECT_THAT(Get("a"), Pair(1, "1"));
  EXPECT_TRUE(store_->Confirm(kWave).ok());
  EXPECT_TRUE(store_->Health().ok()) << store_->Health();
  // What is the caller's fault does not make the store ill.
  EXPECT_FALSE(Put("a", "2", 7).ok());
  EXPECT_TRUE(store_->Health().ok()) << store_->Health();
}

TEST_P(StoreContract, BytesOfAnyKindSurvive) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const std::string key = "k" + bytes;
  const std::string large(3 << 20, '\xff');
  ASSERT_TRUE(Commit({bytes, {{key, bytes}, {"large", large}}, {}, {bytes, ""}}).ok());
  EXPECT_THAT(Get(key, bytes), Pair(1, bytes));
  EXPECT_THAT(Get("large", bytes), Pair(1, large));
  EXPECT_THAT(Feed(0, 10, bytes), ElementsAre(Pair(1, bytes), Pair(2, "")));
}

TEST_P(StoreContract, PartitionsDoNotSeeEachOther) {
  ASSERT_TRUE(Commit({kWave, {{"a", "here"}}, {}, {"here"}}).ok());
  ASSERT_TRUE(Commit({kOtherWave, {{"a", "there"}}, {}, {"there", "there too"}}).ok());
  EXPECT_THAT(Get("a"), Pair(1, "here"));
  EXPECT_THAT(Get("a", kOtherWave), Pair(1, "there"));
  EXPECT_THAT(Feed(), ElementsAre(Pair(1, "here")));
  EXPECT_THAT(Feed(0, 10, kOtherWave), SizeIs(2));
  EXPECT_EQ(*store_->LastSequence(kWave), 1u);
  EXPECT_EQ(*store_->LastSequence(kOtherWave), 2u);
}

TEST_P(StoreContract, ExpectedVersionDecidesWhetherAWriteHappens) {
  struct Case {
    const char* what;
    uint64_t puts;  // Made before.
    bool deleted;   // Then.
    std::optional<uint64_t> expected;
    bool ok;
  };
  const Case cases[] = {
      {"whatever, none there", 0, false, std::nullopt, true},
      {"none wanted, none there", 0, false, 0, true},
      {"first wanted, none there", 0, false, 1, false},
      {"whatever, one there", 2, false, std::nullopt, true},
      {"none wanted, one there", 2, false, 0, false},
      {"the version there", 2, false, 2, true},
      {"an older version", 2, false, 1, false},
      {"a newer version", 2, false, 3, false},
      {"none wanted, deleted", 2, true, 0, true},
      {"the version before the delete", 2, true, 2, false},
      {"whatever, deleted", 2, true, std::nullopt, true},
  };
  for (const Case& c : cases) {
    for (const bool remove : {false, true}) {
      SCOPED_TRACE(std::string(c.what) + (remove ? ", delete" : ", put"));
      const std::string key = std::string(c.what) + (remove ? "-" : "+");
      for (uint64_t i = 0; i < c.puts; ++i) ASSERT_TRUE(Put(key, "old").ok());
      if (c.deleted) {
        ASSERT_TRUE(Delete(key).ok());
      }
      const auto before = Get(key);
      const absl::Status status = remove ? Delete(key, c.expected) : Put(key, "new", c.expected);
      if (c.ok) {
        EXPECT_TRUE(status.ok()) << status;
        if (remove) {
          EXPECT_THAT(Get(key), Pair(0, ""));
        } else {
          EXPECT_THAT(Get(key), Pair(c.puts + 1, "new"));
        }
      } else {
        EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << status;
        EXPECT_EQ(status::Reason(status), "CONCURRENT_CHANGE");
        EXPECT_EQ(Get(key), before);
      }
    }
  }
}

TEST_P(StoreContract, ExpectationsHoldWithoutChangingAnything) {
  ASSERT_TRUE(Put("a", "1").ok());
  EXPECT_TRUE(Commit({kWave, {{"b", "1"}}, {{"a", 1}, {"none", 0}}}).ok());
  EXPECT_THAT(Get("a"), Pair(1, "1"));
  EXPECT_EQ(Commit({kWave, {{"b", "2"}}, {{"a", 2}}}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Commit({kWave, {{"b", "2"}}, {{"none", 1}}}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Commit({kWave, {{"b", "2"}}, {{"a", 0}}}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Commit({"surveys/s/waves/new", {{"b", "2"}}, {{"a", 1}}}).code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Get("b"), Pair(1, "1"));
  EXPECT_TRUE(Commit({kWave, {}, {{"a", 1}}}).ok());
}

TEST_P(StoreContract, AFailedConditionLeavesNothingBehind) {
  ASSERT_TRUE(Put("second", "old").ok());
  const absl::Status status = Commit({kWave, {{"first", "new"}, {"second", "new", 7}, {"third", "new"}}, {}, {"event"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Get("first"), Pair(0, ""));
  EXPECT_THAT(Get("second"), Pair(1, "old"));
  EXPECT_THAT(Feed(), IsEmpty());
  EXPECT_THAT(*store_->Partitions(""), ElementsAre(kWave));
  EXPECT_EQ(Commit({kOtherWave, {{"a", "1", 1}}, {}, {"event"}}).code(), absl::StatusCode::kAborted);
  EXPECT_THAT(*store_->Partitions(""), ElementsAre(kWave));
}

TEST_P(StoreContract, AVersionIsNeverUsedAgain) {
  std::set<uint64_t> seen;
  for (int round = 0; round < 3; ++round) {
    for (int put = 0; put < 2; ++put) {
      ASSERT_TRUE(Put("a", "value").ok());
      EXPECT_TRUE(seen.insert(Get("a").first).second) << "version " << Get("a").first << " again";
    }
    ASSERT_TRUE(Delete("a").ok());
    EXPECT_THAT(Get("a"), Pair(0, ""));
    if (place_->lasting()) Open();
  }
  EXPECT_EQ(*seen.rbegin(), 6u);
}

TEST_P(StoreContract, ABatchWritesAKeyOnce) {
  const absl::Status status = Commit({kWave, {{"a", "1"}, {"b", "1"}, {"a", "2"}}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status::Reason(status), "DUPLICATE_KEY");
  EXPECT_THAT(Get("b"), Pair(0, ""));
}

// ---- Concurrency

TEST_P(StoreContract, ConcurrentCommitsSucceedOrFailByThemselves) {
  constexpr int kCallers = 16, kCommits = 40;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < kCommits; ++i) {
        const std::string key = std::to_string(caller) + "/" + std::to_string(i);
        // Every third has a condition that does not hold.
        const bool doomed = (caller + i) % 3 == 0;
        auto result = store_->Commit({kWave, {{key, "value", doomed ? 9 : 0}}, {}, {key}});
        if (result.ok() == doomed) ++wrong;
        if (doomed && result.status().code() != absl::StatusCode::kAborted) ++wrong;
        if (!doomed && (!result.ok() || Get(key).first != 1)) ++wrong;  // Its own write is seen at once.
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  uint64_t want = 1;
  std::set<std::string> keys;
  for (const auto& [sequence, value] : Feed()) {
    EXPECT_EQ(sequence, want++);
    EXPECT_TRUE(keys.insert(value).second);
  }
  const auto stored = Keys("", "", 10'000);
  EXPECT_EQ(keys, std::set<std::string>(stored.begin(), stored.end()));
  EXPECT_EQ(*store_->LastSequence(kWave), keys.size());
}

TEST_P(StoreContract, OfConcurrentChangesToOneDocumentNoneIsLost) {
  constexpr int kCallers = 8, kIncrements = 25;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&] {
      for (int done = 0; done < kIncrements;) {
        const auto [version, value] = Get("counter");
        const std::string next = std::to_string((value.empty() ? 0 : std::stoi(value)) + 1);
        const absl::Status status = Put("counter", next, version);
        if (status.ok()) ++done;
        if (!status.ok() && status.code() != absl::StatusCode::kAborted) {
          ADD_FAILURE() << status;
          return;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(Get("counter"), Pair(kCallers * kIncrements, std::to_string(kCallers * kIncrements)));
}

TEST_P(StoreContract, GetManyIsOfOneMoment) {
  ASSERT_TRUE(Commit({kWave, {{"a", "0"}, {"b", "0"}}}).ok());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 1; !stop; ++i) {
      const std::string value = std::to_string(i);
      if (!Commit({kWave, {{"a", value}, {"b", value}}}).ok()) ADD_FAILURE();
    }
  });
  // Many keys between the two, so that a reading takes long enough for commits to come in between.
  std::vector<std::string> keys(500, "none");
  keys.front() = "b";
  keys.back() = "a";
  for (int i = 0; i < 300; ++i) {
    auto documents = store_->GetMany(kWave, keys);
    ASSERT_TRUE(documents.ok()) << documents.status();
    ASSERT_THAT(*documents, SizeIs(500));
    EXPECT_FALSE((*documents)[1].has_value());
    EXPECT_EQ(documents->front()->key, "b");
    EXPECT_EQ(documents->back()->key, "a");
    EXPECT_EQ(documents->front()->value, documents->back()->value);
    EXPECT_EQ(documents->front()->version, documents->back()->version);
  }
  stop = true;
  writer.join();
}

// ---- Listing

TEST_P(StoreContract, ListsByPrefixInBytewiseOrder) {
  for (const char* key : {"b/2", "a/1", "b/10", "b/1", "b", "b0", "c/1", "b/\xff", "b/\xff\xff"}) ASSERT_TRUE(Put(key, key).ok());
  ASSERT_TRUE(Put("b/deleted", "x").ok());
  ASSERT_TRUE(Delete("b/deleted").ok());
  EXPECT_THAT(Keys("b/"), ElementsAre("b/1", "b/10", "b/2", "b/\xff", "b/\xff\xff"));
  EXPECT_THAT(Keys("b/\xff"), ElementsAre("b/\xff", "b/\xff\xff"));
  EXPECT_THAT(Keys(""), SizeIs(9));
  EXPECT_THAT(Keys("d"), IsEmpty());
  EXPECT_THAT(Keys("b/", "b/10"), ElementsAre("b/2", "b/\xff", "b/\xff\xff"));
  EXPECT_THAT(Keys("b/", "a/1"), SizeIs(5));
  EXPECT_THAT(Keys("b/", "c"), IsEmpty());
  EXPECT_THAT(Keys("b/", "", 0), IsEmpty());
}

TEST_P(StoreContract, CountsByPrefix) {
  for (const char* key : {"a", "b", "b/1", "b/2", "b/\xff", "b0", "\xff", "\xff\xff"}) ASSERT_TRUE(Put(key, key).ok());
  ASSERT_TRUE(Put("b/deleted", "x").ok());
  ASSERT_TRUE(Delete("b/deleted").ok());
  ASSERT_TRUE(Commit({kOtherWave, {{"b/1", "of another partition"}}}).ok());
  const std::vector<std::pair<std::string, uint64_t>> counts = {{"", 8},       {"a", 1},    {"b", 5},        {"b/", 3}, {"b/1", 1},
                                                                {"b/\xff", 1}, {"\xff", 2}, {"\xff\xff", 1}, {"c", 0},  {"b/deleted", 0}};
  for (const auto& [prefix, count] : counts) EXPECT_EQ(*store_->Count(kWave, prefix), count) << prefix;
  ASSERT_TRUE(Delete("b/1").ok());
  ASSERT_TRUE(Delete("b/1").ok());
  ASSERT_TRUE(Put("b/2", "again").ok());
  ASSERT_TRUE(Put("b/deleted", "again").ok());
  EXPECT_EQ(*store_->Count(kWave, "b/"), 3u);
}

TEST_P(StoreContract, PagesCoverEverythingOnce) {
  std::set<std::string> want;
  for (int i = 0; i < 97; ++i) {
    want.insert("k/" + std::to_string(i));
    ASSERT_TRUE(Put("k/" + std::to_string(i), "value").ok());
  }
  std::vector<std::string> got;
  for (std::string after;;) {
    const auto page = Keys("k/", after, 10);
    if (page.empty()) break;
    EXPECT_LE(page.size(), 10u);
    got.insert(got.end(), page.begin(), page.end());
    after = page.back();
  }
  EXPECT_EQ(got, std::vector<std::string>(want.begin(), want.end()));
}

TEST_P(StoreContract, NamesThePartitionsThatWereWrittenTo) {
  ASSERT_TRUE(Commit({"b/documents", {{"a", "1"}}}).ok());
  ASSERT_TRUE(Commit({"b/events", {}, {}, {"1"}}).ok());
  ASSERT_TRUE(Commit({"a", {{"a", "1"}}}).ok());
  ASSERT_TRUE(Commit({"b/emptied", {{"a", "1"}}}).ok());
  ASSERT_TRUE(Commit({"b/emptied", {{"a", std::nullopt}}}).ok());
  EXPECT_THAT(*store_->Partitions("b/"), ElementsAre("b/documents", "b/emptied", "b/events"));
  EXPECT_THAT(*store_->Partitions(""), ElementsAre("a", "b/documents", "b/emptied", "b/events"));
  EXPECT_THAT(*store_->Partitions("c"), IsEmpty());
}

TEST_P(StoreContract, WhatWasNeverWrittenIsEmpty) {
  EXPECT_THAT(Get("a", "nowhere"), Pair(0, ""));
  EXPECT_THAT(Feed(0, 10, "nowhere"), IsEmpty());
  EXPECT_EQ(*store_->LastSequence("nowhere"), 0u);
  EXPECT_EQ(*store_->Count("nowhere", ""), 0u);
  EXPECT_THAT(*store_->List("nowhere", "", "", 10), IsEmpty());
  EXPECT_THAT(*store_->GetMany("nowhere", {"a", "b"}), SizeIs(2));
  EXPECT_TRUE(Commit({"nowhere", {{"a", std::nullopt}}}).ok());
  EXPECT_THAT(*store_->Partitions(""), IsEmpty());
}

// ---- Feeds

TEST_P(StoreContract, AFeedIsReadFromAnySequenceOn) {
  for (int i = 1; i <= 10; ++i) ASSERT_TRUE(Commit({kWave, {}, {}, {std::to_string(i)}}).ok());
  EXPECT_THAT(Feed(7), ElementsAre(Pair(8, "8"), Pair(9, "9"), Pair(10, "10")));
  EXPECT_THAT(Feed(7, 2), ElementsAre(Pair(8, "8"), Pair(9, "9")));
  EXPECT_THAT(Feed(10), IsEmpty());
  EXPECT_THAT(Feed(11), IsEmpty());
  EXPECT_THAT(Feed(uint64_t{1} << 63), IsEmpty());
  EXPECT_THAT(Feed(0), SizeIs(10));
}

TEST_P(StoreContract, LargeEventsComeInSeveralReadings) {
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Commit({kWave, {}, {}, {large}}).ok());
  uint64_t sequence = 0;
  int readings = 0;
  while (sequence < 10) {
    const auto events = Feed(sequence);
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.front().first, sequence + 1);
    sequence = events.back().first;
    ++readings;
  }
  EXPECT_GT(readings, 1);
  EXPECT_THAT(Feed(sequence), IsEmpty());
}

TEST_P(StoreContract, SeveralReadersFollowAFeedInOrder) {
  constexpr uint64_t kEvents = 300;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&] {
      uint64_t sequence = 0;
      while (sequence < kEvents) {
        auto grown = store_->WaitFeed(kWave, sequence, milliseconds(20'000));
        if (!grown.ok() || !*grown) {
          ++wrong;
          return;
        }
        for (const auto& event : Feed(sequence, 7)) {
          if (event.first != ++sequence) ++wrong;
        }
      }
    });
  }
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&] {
      for (uint64_t i = 0; i < kEvents / 3; ++i) {
        if (!Commit({kWave, {}, {}, {"event"}}).ok()) ++wrong;
      }
    });
  }
  for (std::thread& thread : writers) thread.join();
  for (std::thread& thread : readers) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(StoreContract, WaitingEndsWithTheEventOrTheTime) {
  auto grown = store_->WaitFeed(kWave, 0, milliseconds(10));
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_FALSE(*grown);

  const auto begin = steady_clock::now();
  std::thread writer([&] {
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_TRUE(Commit({kOtherWave, {}, {}, {"of another feed"}}).ok());
    EXPECT_TRUE(Put("a", "no event").ok());
    EXPECT_TRUE(Commit({kWave, {}, {}, {"event"}}).ok());
  });
  grown = store_->WaitFeed(kWave, 0, milliseconds(20'000));
  writer.join();
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_TRUE(*grown);
  EXPECT_LT(steady_clock::now() - begin, milliseconds(10'000));
  EXPECT_TRUE(*store_->WaitFeed(kWave, 0, milliseconds(0)));
  EXPECT_FALSE(*store_->WaitFeed(kWave, 1, milliseconds(0)));
}

TEST_P(StoreContract, InterruptEndsAllWaitingNowAndLater) {
  std::vector<std::thread> waiters;
  const auto begin = steady_clock::now();
  for (const char* partition : {kWave, kWave, kOtherWave}) {
    waiters.emplace_back(
        [&, partition] { EXPECT_EQ(status::Reason(store_->WaitFeed(partition, 0, milliseconds(20'000)).status()), "SHUTTING_DOWN"); });
  }
  std::this_thread::sleep_for(milliseconds(20));
  store_->Interrupt();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(status::Reason(store_->WaitFeed(kWave, 0, milliseconds(20'000)).status()), "SHUTTING_DOWN");
  EXPECT_LT(steady_clock::now() - begin, milliseconds(10'000));
  EXPECT_TRUE(Put("a", "writing goes on").ok());
}

// ---- Receipts

namespace {

FeedPosition Answer(uint64_t submissions) {
  FeedPosition answer;
  answer.set_submissions(submissions);
  return answer;
}

CaughtUp Request(uint64_t sequence) {
  CaughtUp request;
  request.set_sequence(sequence);
  return request;
}

}  // namespace

TEST_P(StoreContract, ARepeatedRequestGetsTheFirstAnswer) {
  const std::string digest = RequestDigest(Request(1));
  FeedPosition answer;
  auto found = FindReceipt(*store_, kWave, "id", digest, answer);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(*found);
  ASSERT_TRUE(Commit({kWave, {{"a", "effect"}, ReceiptWrite("id", digest, Answer(42))}}).ok());
  found = FindReceipt(*store_, kWave, "id", digest, answer);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(*found);
  EXPECT_EQ(answer.submissions(), 42u);
}

TEST_P(StoreContract, AnEmptyAnswerIsAnAnswer) {
  const std::string digest = RequestDigest(Request(1));
  ASSERT_TRUE(Commit({kWave, {ReceiptWrite("id", digest, FeedPosition())}}).ok());
  FeedPosition answer;
  EXPECT_TRUE(*FindReceipt(*store_, kWave, "id", digest, answer));
}

TEST_P(StoreContract, ARequestIdIsForOneRequest) {
  ASSERT_TRUE(Commit({kWave, {ReceiptWrite("id", RequestDigest(Request(1)), Answer(42))}}).ok());
  FeedPosition answer;
  // Other content, and the same bytes in a message of another type.
  for (const std::string& digest : {RequestDigest(Request(2)), RequestDigest(Answer(1)), RequestDigest(Request(0))}) {
    auto found = FindReceipt(*store_, kWave, "id", digest, answer);
    EXPECT_EQ(found.status().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(status::Reason(found.status()), "REQUEST_ID_REUSED");
  }
  EXPECT_FALSE(*FindReceipt(*store_, kOtherWave, "id", RequestDigest(Request(2)), answer));
  EXPECT_FALSE(*FindReceipt(*store_, kWave, "i", RequestDigest(Request(2)), answer));
}

TEST_P(StoreContract, EqualRequestsAtOnceHaveOneEffect) {
  constexpr int kCallers = 12;
  const std::string digest = RequestDigest(Request(1));
  std::vector<uint64_t> answers(kCallers);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      while (true) {
        FeedPosition answer;
        auto found = FindReceipt(*store_, kWave, "id", digest, answer);
        ASSERT_TRUE(found.ok()) << found.status();
        if (*found) {
          answers[caller] = answer.submissions();
          return;
        }
        const absl::Status status = Commit({kWave, {ReceiptWrite("id", digest, Answer(100 + caller))}, {}, {"effect"}});
        ASSERT_TRUE(status.ok() || status.code() == absl::StatusCode::kAborted) << status;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(Feed(), SizeIs(1));
  EXPECT_GE(answers[0], 100u);
  EXPECT_THAT(answers, ::testing::Each(answers[0]));
}

// ---- Opening again

TEST_P(StoreContract, EverythingIsThereAfterOpeningAgain) {
  if (!place_->lasting()) GTEST_SKIP() << "not a lasting store";
  ASSERT_TRUE(Commit({kWave, {{"a", "1"}, {"b", "1"}}, {}, {"first", "second"}}).ok());
  ASSERT_TRUE(Commit({kOtherWave, {{"a", "2"}}}).ok());
  ASSERT_TRUE(Delete("b").ok());
  Open();
  EXPECT_THAT(Get("a"), Pair(1, "1"));
  EXPECT_THAT(Get("b"), Pair(0, ""));
  EXPECT_THAT(Get("a", kOtherWave), Pair(1, "2"));
  EXPECT_THAT(Feed(), ElementsAre(Pair(1, "first"), Pair(2, "second")));
  EXPECT_EQ(*store_->LastSequence(kWave), 2u);
  EXPECT_THAT(*store_->Partitions(""), ElementsAre(kWave, kOtherWave));
  auto result = store_->Commit({kWave, {{"a", "2", 1}, {"b", "2", 0}}, {}, {"third"}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->first_sequence, 3u);
  EXPECT_THAT(Get("b"), Pair(2, "2"));
  auto created = store_->Commit({"surveys/s/waves/new", {{"a", "3"}}, {}, {"first"}});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->first_sequence, 1u);
}

}  // namespace peiling::storage
