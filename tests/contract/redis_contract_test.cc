// The Redis store keeps the contract of every store, however its servers are arranged.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "tests/contract/redis_servers.h"
#include "tests/contract/store_contract.h"

namespace peiling::storage {
namespace {

// A place of its own in an arrangement of servers that all tests of this program share.
template <typename Servers>
class RedisPlace : public Place {
 public:
  std::string address() const override { return TheServers().address(); }
  std::string name() const override { return name_; }
  bool shared() const override { return true; }

 private:
  static const Servers& TheServers() {
    static const Servers servers;
    return servers;
  }
  static std::string NewName() {
    static std::atomic<int> count = 0;
    return "test" + std::to_string(++count);
  }

  const std::string name_ = NewName();
};

// A program for each arrangement.
const auto kKind = ::testing::Values(Kind{"Redis", [] { return std::make_unique<RedisPlace<SERVERS>>(); }});

INSTANTIATE_TEST_SUITE_P(Redis, StoreContract, kKind, NameOfKind);
INSTANTIATE_TEST_SUITE_P(Redis, SharedStoreContract, kKind, NameOfKind);
INSTANTIATE_TEST_SUITE_P(Redis, StoreHistory, kKind, NameOfKind);

}  // namespace
}  // namespace peiling::storage
