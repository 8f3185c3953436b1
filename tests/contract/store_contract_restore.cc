// Saving what a store holds and putting it into another.
#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

#include "services/common/status/errors.h"
#include "services/common/storage/backup.h"
#include "tests/contract/store_contract.h"

namespace peiling::storage {

namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr char kWave[] = "surveys/s/waves/w";

// What a partition holds, as texts, read `page` at a time.
std::vector<std::string> Contents(Store& store, const std::string& partition, size_t page = 1000) {
  std::vector<std::string> contents;
  for (std::string after;;) {
    auto documents = store.Save(partition, after, page);
    EXPECT_TRUE(documents.ok()) << documents.status();
    if (!documents.ok() || documents->empty()) break;
    for (const SavedDocument& document : *documents) {
      contents.push_back(document.key + "=" + document.value.value_or("(deleted)") + " v" + std::to_string(document.version) + " s" +
                         std::to_string(document.sequence));
    }
    after = documents->back().key;
  }
  auto events = store.ReadFeed(partition, 0, 1000);
  EXPECT_TRUE(events.ok()) << events.status();
  if (!events.ok()) return contents;
  for (const FeedEvent& event : *events) contents.push_back(std::to_string(event.sequence) + " " + event.value);
  return contents;
}

std::vector<SavedDocument> Documents() { return {{"a", "one", 3, 1}, {"b", std::nullopt, 2, 0}, {"c", "", 1, 0}}; }
std::vector<FeedEvent> Events() { return {{1, "first"}, {2, ""}}; }
// What the two above are as Contents.
std::vector<std::string> Whole() { return {"a=one v3 s1", "b=(deleted) v2 s0", "c= v1 s0", "1 first", "2 "}; }

}  // namespace

TEST_P(StoreContract, SavesEverythingWithVersionsAndSequences) {
  ASSERT_TRUE(Commit({kWave, {{"b", "1", std::nullopt, 1}, {"a", "1", std::nullopt, 0}}, {}, {"first", "second"}}).ok());
  ASSERT_TRUE(Put("a", "2").ok());
  ASSERT_TRUE(Put("gone", "1").ok());
  ASSERT_TRUE(Delete("gone").ok());
  const std::vector<std::string> want = {"a=2 v2 s0", "b=1 v1 s2", "gone=(deleted) v1 s0", "1 first", "2 second"};
  for (const size_t page : {1, 2, 1000}) EXPECT_THAT(Contents(*store_, kWave, page), ElementsAreArray(want)) << page;
  EXPECT_THAT(*store_->Save(kWave, "", 0), IsEmpty());
  EXPECT_THAT(*store_->Save("nowhere", "", 10), IsEmpty());
}

TEST_P(StoreContract, LargeDocumentsAreSavedInSeveralReadings) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Put(std::to_string(i), std::string(1 << 20, 'x')).ok());
  auto page = store_->Save(kWave, "", 1000);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_LT(page->size(), 10u);
  EXPECT_THAT(Contents(*store_, kWave), SizeIs(10));
}

TEST_P(StoreContract, ARestoredPartitionGoesOnWhereItStood) {
  ASSERT_TRUE(store_->Restore(kWave, Documents(), Events()).ok());
  EXPECT_THAT(Contents(*store_, kWave), ElementsAreArray(Whole()));
  EXPECT_THAT(*store_->Partitions(""), ElementsAre(kWave));
  EXPECT_EQ(*store_->LastSequence(kWave), 2u);
  EXPECT_EQ(*store_->Count(kWave, ""), 2u);
  if (place_->lasting()) Open();
  EXPECT_THAT(Contents(*store_, kWave), ElementsAreArray(Whole()));
  EXPECT_EQ(Put("a", "two", 2).code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(Put("a", "two", 3).ok());
  ASSERT_TRUE(Put("b", "again", 0).ok());
  EXPECT_THAT(Get("a"), Pair(4, "two"));
  EXPECT_THAT(Get("b"), Pair(3, "again"));
  auto result = store_->Commit({kWave, {}, {}, {"third"}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->first_sequence, 3u);
}

TEST_P(StoreContract, ARestoreThatBrokeOffIsRunAgain) {
  const auto documents = Documents();
  const auto events = Events();
  // The last document came first, one event came.
  ASSERT_TRUE(store_->Restore(kWave, {documents[2]}, {events[0]}).ok());
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(store_->Restore(kWave, documents, events).ok());
    EXPECT_THAT(Contents(*store_, kWave), ElementsAreArray(Whole()));
  }
  ASSERT_TRUE(store_->Restore(kWave, {}, {}).ok());
}

TEST_P(StoreContract, RestoringNothingLeavesNothing) {
  ASSERT_TRUE(store_->Restore(kWave, {}, {}).ok());
  EXPECT_THAT(*store_->Partitions(""), IsEmpty());
}

TEST_P(StoreContract, ARestoreDoesNotOverwrite) {
  struct Case {
    const char* what;
    std::vector<SavedDocument> documents;
    std::vector<FeedEvent> events;
    std::string named;  // In the message.
  };
  const Case cases[] = {
      {"another value", {{"a", "other", 3, 1}}, {}, "document a"},
      {"an empty value instead", {{"a", "", 3, 1}}, {}, "document a"},
      {"another version", {{"a", "one", 2, 1}}, {}, "document a"},
      {"another sequence", {{"a", "one", 3, 2}}, {}, "document a"},
      {"deleted instead", {{"a", std::nullopt, 3, 0}}, {}, "document a"},
      {"not deleted instead", {{"b", "", 2, 0}}, {}, "document b"},
      {"another version of a deleted one", {{"b", std::nullopt, 3, 0}}, {}, "document b"},
      {"another event", {}, {{2, "other"}}, "event 2"},
      {"an event too far", {}, {{4, "fourth"}}, "event 4"},
      {"a gap among the new ones", {}, {{3, "third"}, {5, "fifth"}}, "event 5"},
      {"an event twice", {}, {{3, "third"}, {3, "third"}}, "event 3"},
      {"an event before all", {}, {{0, "zeroth"}}, "event 0"},
  };
  ASSERT_TRUE(store_->Restore(kWave, Documents(), Events()).ok());
  for (Case c : cases) {
    SCOPED_TRACE(c.what);
    // What would fit is not put either.
    c.documents.insert(c.documents.begin(), {"new", "value", 1, 0});
    const absl::Status status = store_->Restore(kWave, c.documents, c.events);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(status::Reason(status), "RESTORE_CONFLICT");
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.named));
    EXPECT_THAT(std::string(status.message()), HasSubstr(kWave));
    EXPECT_THAT(Contents(*store_, kWave), ElementsAreArray(Whole()));
  }
}

TEST_P(StoreContract, ARestoreThatMakesNoSenseIsRefused) {
  struct Case {
    const char* reason;
    std::vector<SavedDocument> documents;
  };
  const Case cases[] = {
      {"NO_VERSION", {{"a", "one", 0, 0}}},
      {"DUPLICATE_KEY", {{"a", "one", 1, 0}, {"a", "one", 1, 0}}},
  };
  for (const Case& c : cases) {
    const absl::Status status = store_->Restore(kWave, c.documents, {});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status::Reason(status), c.reason);
    EXPECT_THAT(*store_->Partitions(""), IsEmpty());
  }
}

TEST_P(StoreContract, ABackupIsTheSameOfEveryKindOfStore) {
  ASSERT_TRUE(Commit({kWave, {{"a", "1", std::nullopt, 1}, {"b", ""}, {"gone", "x"}}, {}, {"first", ""}}).ok());
  ASSERT_TRUE(Delete("gone").ok());
  ASSERT_TRUE(Commit({"other", {}, {}, {std::string(3000, 'x')}}).ok());
  const Progress quiet = [](const std::string&, uint64_t, uint64_t) {};
  const auto backup = [&](Store& store) {
    std::stringstream out;
    auto exported = Export(store, "test", google::protobuf::Timestamp(), out, quiet);
    EXPECT_TRUE(exported.ok()) << exported.status();
    return out;
  };
  const MemoryPlace other;
  const auto back = GetParam().make();
  std::stringstream file = backup(*store_);
  for (const auto& to : {MustOpen(other), MustOpen(*back)}) {
    const std::string bytes = file.str();
    ASSERT_TRUE(Import(file, "test", *to, quiet).ok());
    file = backup(*to);
    EXPECT_TRUE(file.str() == bytes);
  }
}

TEST_P(StoreContract, MovesToAnotherKindOfStoreAndBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  ASSERT_TRUE(Commit({kWave, {{bytes, bytes, std::nullopt, 1}, {"b", ""}}, {}, {bytes, ""}}).ok());
  ASSERT_TRUE(Delete("b").ok());
  ASSERT_TRUE(Commit({bytes, {{"a", "1"}}}).ok());
  const MemoryPlace other;
  const auto back = GetParam().make();
  const auto stores = {MustOpen(other), MustOpen(*back)};
  Store* from = store_.get();
  for (const auto& to : stores) {
    ASSERT_NE(to, nullptr);
    for (const std::string& partition : {std::string(kWave), bytes}) {
      ASSERT_TRUE(to->Restore(partition, *from->Save(partition, "", 100), *from->ReadFeed(partition, 0, 100)).ok());
    }
    for (const std::string& partition : {std::string(kWave), bytes}) {
      EXPECT_THAT(Contents(*to, partition), ElementsAreArray(Contents(*store_, partition)));
    }
    EXPECT_EQ(*to->Partitions(""), *store_->Partitions(""));
    from = to.get();
  }
}

}  // namespace peiling::storage
