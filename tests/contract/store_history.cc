// Random histories of a store, beside a model of what it must say: whatever is asked, both give the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "services/common/status/errors.h"
#include "tests/contract/store_contract.h"

namespace peiling::storage {
namespace {

// What a store is, without any care for speed, durability or concurrency.
struct ModelPartition {
  std::map<std::string, SavedDocument> documents;
  std::vector<std::string> events;
};
using Model = std::map<std::string, ModelPartition>;

bool Exists(const SavedDocument& document) { return document.value.has_value(); }

uint64_t VersionOf(const ModelPartition& partition, const std::string& key) {
  const auto found = partition.documents.find(key);
  return found != partition.documents.end() && Exists(found->second) ? found->second.version : 0;
}

bool Holds(const ModelPartition& partition, const Batch& batch) {
  const auto is = [&](const std::string& key, uint64_t version) { return VersionOf(partition, key) == version; };
  return std::all_of(batch.expectations.begin(), batch.expectations.end(), [&](const auto& one) { return is(one.first, one.second); }) &&
         std::all_of(batch.writes.begin(), batch.writes.end(),
                     [&](const Write& write) { return !write.expected_version || is(write.key, *write.expected_version); });
}

// The batch's conditions hold.
void Apply(Model& model, const Batch& batch) {
  const bool puts = std::any_of(batch.writes.begin(), batch.writes.end(), [](const Write& write) { return write.value.has_value(); });
  if (!puts && batch.events.empty() && model.count(batch.partition) == 0) return;
  ModelPartition& partition = model[batch.partition];
  const uint64_t first = partition.events.size() + 1;
  partition.events.insert(partition.events.end(), batch.events.begin(), batch.events.end());
  for (const Write& write : batch.writes) {
    if (!write.value && partition.documents.count(write.key) == 0) continue;
    SavedDocument& document = partition.documents[write.key];
    document.key = write.key;
    document.value = write.value;
    document.version += write.value ? 1 : 0;
    document.sequence = write.value && write.event ? first + *write.event : 0;
  }
}

// Documents and events as texts, for comparison and for messages.
std::string Text(const SavedDocument& document) {
  return document.key + "=" + document.value.value_or("(deleted)") + " v" + std::to_string(document.version) + " s" +
         std::to_string(document.sequence);
}
std::string Text(const Document& document) {
  return Text(SavedDocument{document.key, document.value, document.version, document.sequence});
}
std::string Text(const std::optional<Document>& document) { return document ? Text(*document) : "(none)"; }
std::string Text(const FeedEvent& event) { return std::to_string(event.sequence) + " " + event.value; }
std::string Text(const std::string& name) { return name; }

template <typename Item>
std::vector<std::string> Texts(const std::vector<Item>& items) {
  std::vector<std::string> texts;
  for (const Item& item : items) texts.push_back(Text(item));
  return texts;
}

// Everything a store holds, put into another.
absl::Status Move(Store& from, Store& to) {
  auto partitions = from.Partitions("");
  if (!partitions.ok()) return partitions.status();
  for (const std::string& partition : *partitions) {
    auto events = from.ReadFeed(partition, 0, 10'000);
    if (!events.ok()) return events.status();
    auto documents = from.Save(partition, "", 10'000);
    if (!documents.ok()) return documents.status();
    if (absl::Status status = to.Restore(partition, *documents, *events); !status.ok()) return status;
  }
  return absl::OkStatus();
}

class History {
 public:
  History(const Kind& kind, uint32_t seed) : kind_(kind), random_(seed) { Begin(); }

  void Step() {
    const int dice = Number(100);
    if (dice < 45) {
      CommitSomething();
    } else if (dice < 97) {
      Compare();
    } else if (dice < 99) {
      Reopen();
    } else {
      MoveElsewhere();
    }
  }

  // All that can be asked, for every partition.
  void CompareAll() {
    EXPECT_THAT(Texts(*store().Partitions("")), ::testing::ElementsAreArray(PartitionsOf("")));
    for (const auto& [name, partition] : model_) {
      // A feed may show a moment later what another store has just appended.
      EXPECT_TRUE(store().Confirm(name).ok());
      std::vector<std::string> saved;
      for (const auto& [key, document] : partition.documents) saved.push_back(Text(document));
      EXPECT_EQ(Texts(*store().Save(name, "", 10'000)), saved) << name;
      CompareFeed(name, 0, 10'000);
    }
  }

 private:
  size_t Number(size_t below) { return random_() % below; }
  Store& store() { return *stores_[Number(stores_.size())]; }
  std::string Partition() { return "p/" + std::to_string(Number(3)); }
  std::string Key() { return std::string(1, static_cast<char>("ab\xff"[Number(3)])) + std::to_string(Number(5)); }
  std::string Prefix() { return Key().substr(0, Number(3)); }
  const ModelPartition& Known(const std::string& name) {
    static const ModelPartition nothing;
    const auto found = model_.find(name);
    return found != model_.end() ? found->second : nothing;
  }

  void Begin() {
    place_ = kind_.make();
    Reopen();
  }

  void Reopen() {
    if (!stores_.empty() && !place_->lasting()) return;
    stores_.clear();
    for (int i = place_->shared() ? 2 : 1; i > 0; --i) {
      stores_.push_back(MustOpen(*place_));
      ASSERT_NE(stores_.back(), nullptr);
    }
  }

  // Goes on in another place, into which everything was restored.
  void MoveElsewhere() {
    auto left_store = std::move(stores_);
    auto left_place = std::move(place_);
    stores_.clear();
    Begin();
    EXPECT_TRUE(Move(*left_store.front(), store()).ok());
    // Once more is no conflict.
    EXPECT_TRUE(Move(*left_store.front(), store()).ok());
    CompareAll();
  }

  // Mostly the version that stands there.
  uint64_t SomeVersion(const std::string& partition, const std::string& key) {
    return Number(10) == 0 ? Number(4) : VersionOf(Known(partition), key);
  }

  void CommitSomething() {
    Batch batch{.partition = Partition()};
    for (size_t i = Number(4); i > 0; --i) batch.events.push_back("event " + std::to_string(random_()));
    std::set<std::string> keys;
    for (size_t i = Number(5); i > 0; --i) keys.insert(Key());
    for (const std::string& key : keys) {
      Write write{.key = key, .value = std::to_string(random_()), .expected_version = std::nullopt};
      if (Number(4) == 0) write.value = std::nullopt;
      if (Number(2) == 0) write.expected_version = SomeVersion(batch.partition, key);
      if (!batch.events.empty() && Number(2) == 0) write.event = Number(batch.events.size());
      batch.writes.push_back(std::move(write));
    }
    if (Number(3) == 0) {
      const std::string key = Key();
      batch.expectations.emplace_back(key, SomeVersion(batch.partition, key));
    }
    const bool holds = Holds(Known(batch.partition), batch);
    const uint64_t last = Known(batch.partition).events.size();
    auto result = store().Commit(batch);
    if (!holds) {
      EXPECT_EQ(status::Reason(result.status()), "CONCURRENT_CHANGE") << result.status();
      return;
    }
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->first_sequence, batch.events.empty() ? 0 : last + 1);
    EXPECT_EQ(result->last_sequence, last + batch.events.size());
    Apply(model_, batch);
  }

  void Compare() {
    const std::string partition = Partition();
    EXPECT_TRUE(store().Confirm(partition).ok());
    switch (Number(6)) {
      case 0:
        return CompareDocuments(partition);
      case 1:
        return CompareList(partition, Prefix(), Number(2) == 0 ? "" : Key(), Number(8));
      case 2:
        return CompareSaved(partition, Number(2) == 0 ? "" : Key(), Number(8));
      case 3:
        return CompareFeed(partition, Number(Known(partition).events.size() + 3), Number(10));
      case 4:
        EXPECT_EQ(*store().LastSequence(partition), Known(partition).events.size());
        return;
      default:
        const std::string prefix = Partition().substr(0, Number(4));
        EXPECT_EQ(*store().Partitions(prefix), PartitionsOf(prefix));
    }
  }

  std::vector<std::string> PartitionsOf(const std::string& prefix) {
    std::vector<std::string> names;
    for (const auto& [name, partition] : model_) {
      if (name.compare(0, prefix.size(), prefix) == 0) names.push_back(name);
    }
    return names;
  }

  void CompareDocuments(const std::string& partition) {
    std::vector<std::string> keys, want;
    for (size_t i = Number(6); i > 0; --i) {
      keys.push_back(Key());
      const auto& documents = Known(partition).documents;
      const auto found = documents.find(keys.back());
      want.push_back(found != documents.end() && Exists(found->second) ? Text(found->second) : "(none)");
    }
    EXPECT_EQ(Texts(*store().GetMany(partition, keys)), want);
    for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(Text(*store().Get(partition, keys[i])), want[i]);
  }

  void CompareList(const std::string& partition, const std::string& prefix, const std::string& after, size_t limit) {
    std::vector<std::string> want;
    size_t count = 0;
    for (const auto& [key, document] : Known(partition).documents) {
      if (!Exists(document) || key.compare(0, prefix.size(), prefix) != 0) continue;
      ++count;
      if (key > after && want.size() < limit) want.push_back(Text(document));
    }
    EXPECT_EQ(Texts(*store().List(partition, prefix, after, limit)), want) << "after " << after << " with " << prefix;
    EXPECT_EQ(*store().Count(partition, prefix), count) << prefix;
  }

  void CompareSaved(const std::string& partition, const std::string& after, size_t limit) {
    std::vector<std::string> want;
    for (const auto& [key, document] : Known(partition).documents) {
      if (key > after && want.size() < limit) want.push_back(Text(document));
    }
    EXPECT_EQ(Texts(*store().Save(partition, after, limit)), want) << "after " << after;
  }

  void CompareFeed(const std::string& partition, uint64_t after, size_t limit) {
    std::vector<std::string> want;
    const auto& events = Known(partition).events;
    for (uint64_t sequence = after + 1; sequence <= events.size() && want.size() < limit; ++sequence) {
      want.push_back(Text(FeedEvent{sequence, events[sequence - 1]}));
    }
    EXPECT_EQ(Texts(*store().ReadFeed(partition, after, limit)), want) << "after " << after;
  }

  const Kind& kind_;
  std::mt19937 random_;
  Model model_;
  std::unique_ptr<Place> place_;
  std::vector<std::unique_ptr<Store>> stores_;
};

TEST_P(StoreHistory, IsWhatTheModelSays) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  for (uint32_t seed = 1; seed <= 12 && std::chrono::steady_clock::now() < end; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(GetParam(), seed);
    for (int step = 0; step < 400 && !HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      history.Step();
    }
    history.CompareAll();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace peiling::storage
