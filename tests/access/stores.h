// The kinds of store that access runs on, for tests of both.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/storage/store.h"
#include "tests/contract/redis_server.h"

namespace peiling::access {

enum class StoreKind { kSqlite, kRedis };

// Opens stores of one kind, which live as long as it does.
class Stores {
 public:
  explicit Stores(StoreKind kind) {
    if (kind == StoreKind::kRedis) redis_ = std::make_unique<storage::RedisServer>();
  }

  // A store of its own; on Redis the same data each time, as replicas have it.
  std::unique_ptr<storage::Store> Open() const {
    auto store = storage::OpenStore(redis_ == nullptr ? "sqlite::memory:" : absl::StrCat("redis://", redis_->endpoint()), "access");
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

 private:
  std::unique_ptr<storage::RedisServer> redis_;
};

inline std::string NameOf(const testing::TestParamInfo<StoreKind>& kind) { return kind.param == StoreKind::kSqlite ? "Sqlite" : "Redis"; }

}  // namespace peiling::access
