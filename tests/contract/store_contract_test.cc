// What every store promises, for every implementation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/common/status/errors.h"
#include "services/common/storage/store.h"

namespace peiling::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// A place for a store that can be opened again and again.
class Place {
 public:
  virtual ~Place() = default;
  virtual std::string address() const = 0;
  // Whether what was committed is there after closing and opening.
  virtual bool lasting() const { return true; }
};

class FilePlace : public Place {
 public:
  FilePlace() {
    std::string name = (std::filesystem::temp_directory_path() / "peiling-contract-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~FilePlace() override { std::filesystem::remove_all(folder_); }
  std::string address() const override { return "sqlite:" + (folder_ / "new" / "store.db").string(); }

 private:
  std::filesystem::path folder_;
};

class MemoryPlace : public Place {
 public:
  std::string address() const override { return "sqlite::memory:"; }
  bool lasting() const override { return false; }
};

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Place>()> make;
};

constexpr char kWave[] = "surveys/s/waves/w";

std::function<std::vector<std::string>(uint64_t)> Events(std::vector<std::string> events) {
  return [events = std::move(events)](uint64_t) { return events; };
}

class StoreContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    store_.reset();
    auto store = OpenStore(place_->address());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
  }

  // The version a document has; 0 when there is none.
  uint64_t Version(const std::string& key) {
    auto document = store_->Get(kWave, key);
    EXPECT_TRUE(document.ok()) << document.status();
    return document.ok() && document->has_value() ? (*document)->version : 0;
  }

  std::string Value(const std::string& key) {
    auto document = store_->Get(kWave, key);
    EXPECT_TRUE(document.ok()) << document.status();
    return document.ok() && document->has_value() ? (*document)->value : "(none)";
  }

  std::vector<std::pair<uint64_t, std::string>> Feed(uint64_t after = 0, size_t limit = 1000) {
    auto events = store_->ReadFeed(kWave, after, limit);
    EXPECT_TRUE(events.ok()) << events.status();
    std::vector<std::pair<uint64_t, std::string>> result;
    if (events.ok()) {
      for (const FeedEvent& event : *events) result.emplace_back(event.sequence, event.value);
    }
    return result;
  }

  std::unique_ptr<Place> place_ = GetParam().make();
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContract, CommitsDocumentAndFeedTogether) {
  auto result = store_->Commit({kWave, {{"a", "1"}, {"b", ""}}, {}, Events({"first", "second"})});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->first_sequence, 1u);
  EXPECT_EQ(result->last_sequence, 2u);
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("b"), "");
  EXPECT_EQ(Version("a"), 1u);
  EXPECT_THAT(Feed(), ElementsAre(Pair(1, "first"), Pair(2, "second")));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract,
                         ::testing::Values(Kind{"SqliteFile", [] { return std::make_unique<FilePlace>(); }},
                                           Kind{"SqliteMemory", [] { return std::make_unique<MemoryPlace>(); }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace peiling::storage
