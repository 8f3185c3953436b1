// What every store promises, as test suites: whoever has an implementation instantiates them for its places and links
// peiling_store_contract.
//
//   INSTANTIATE_TEST_SUITE_P(Mine, StoreContract, ::testing::Values(Kind{"Mine", [] { return std::make_unique<MyPlace>(); }}), NameOfKind);
//   INSTANTIATE_TEST_SUITE_P(Mine, StoreHistory, …);
//   INSTANTIATE_TEST_SUITE_P(Mine, SharedStoreContract, …);  // or GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SharedStoreContract)
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "services/common/storage/store.h"
#include "tests/contract/place.h"

namespace peiling::storage {

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Place>()> make;
};

inline void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }
inline std::string NameOfKind(const ::testing::TestParamInfo<Kind>& info) { return info.param.name; }

// Single behaviours.
class StoreContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { Open(); }

  // Closes the store and opens it again.
  void Open();

  absl::Status Commit(Batch batch) { return store_->Commit(std::move(batch)).status(); }
  absl::Status Put(const std::string& key, const std::string& value, std::optional<uint64_t> expected = std::nullopt);
  absl::Status Delete(const std::string& key, std::optional<uint64_t> expected = std::nullopt);

  // Version and value; version 0 when there is none.
  std::pair<uint64_t, std::string> Get(const std::string& key, const std::string& partition = "surveys/s/waves/w");
  std::vector<std::pair<uint64_t, std::string>> Feed(uint64_t after = 0, size_t limit = 100'000,
                                                     const std::string& partition = "surveys/s/waves/w");
  std::vector<std::string> Keys(const std::string& prefix, const std::string& after = "", size_t limit = 1000);
  // Of all documents, however they are read.
  std::vector<std::pair<std::string, uint64_t>> Sequences();

  std::unique_ptr<Place> place_ = GetParam().make();
  std::unique_ptr<Store> store_;
};

// Several openers at once; for places that are shared.
class SharedStoreContract : public StoreContract {
 protected:
  void SetUp() override {
    Open();
    other_ = MustOpen(*place_);
    ASSERT_NE(other_, nullptr);
  }

  // The same store as `store_`.
  std::unique_ptr<Store> other_;
};

// Random histories beside a model.
class StoreHistory : public ::testing::TestWithParam<Kind> {};

}  // namespace peiling::storage
