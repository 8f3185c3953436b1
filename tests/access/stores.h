// The kinds of store that access runs on, for tests of both.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "tests/common/storage/forwarding_store.h"
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

// A store in which something happens just before the next commit, and whose commits may seem to fail though they do not.
class TroubledStore : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    if (const auto happen = std::exchange(before_commit, nullptr)) happen();
    auto result = ForwardingStore::Commit(std::move(batch));
    if (std::exchange(lose_answer, false)) return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "gone");
    return result;
  }

  std::function<void()> before_commit;
  bool lose_answer = false;
};

inline std::string NameOf(const testing::TestParamInfo<StoreKind>& kind) { return kind.param == StoreKind::kSqlite ? "Sqlite" : "Redis"; }

}  // namespace peiling::access
