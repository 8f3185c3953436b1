// The SQLite store keeps the contract of every store.
#include <gtest/gtest.h>

#include <memory>

#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "tests/contract/store_contract.h"

namespace peiling::storage {
namespace {

const auto kKinds = ::testing::Values(Kind{"SqliteFile", [] { return std::make_unique<FilePlace>(); }},
                                      Kind{"SqliteMemory", [] { return std::make_unique<MemoryPlace>(); }});

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, kKinds, NameOfKind);
INSTANTIATE_TEST_SUITE_P(Stores, StoreHistory, kKinds, NameOfKind);

// A file belongs to one store.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SharedStoreContract);

TEST(OpenStore, RefusesWhatIsNoAddress) {
  for (const char* address : {"", "sqlite", "sqlite:", "file.db", "mysql:file.db", "reddis://peiling:secret@host"}) {
    auto store = OpenStore(address, "test");
    EXPECT_EQ(store.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_EQ(status::Reason(store.status()), "STORAGE_ADDRESS") << address;
    EXPECT_EQ(store.status().message().find("secret"), std::string::npos) << store.status();
  }
}

}  // namespace
}  // namespace peiling::storage
