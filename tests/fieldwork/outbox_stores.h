// An outbox on every kind of store that fieldwork runs on.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/contract/redis_server.h"
#include "tests/fieldwork/outbox_setting.h"

namespace peiling::fieldwork {

enum class StoreKind { kSqlite, kRedis };

inline auto EveryStore() { return testing::Values(StoreKind::kSqlite, StoreKind::kRedis); }
inline std::string NameOfStore(const testing::TestParamInfo<StoreKind>& kind) {
  return kind.param == StoreKind::kSqlite ? "Sqlite" : "Redis";
}

class OutboxOnEveryStore : public OutboxSetting, public testing::WithParamInterface<StoreKind> {
 protected:
  absl::StatusOr<std::unique_ptr<storage::Store>> OpenStore() override {
    if (GetParam() == StoreKind::kSqlite) return OutboxSetting::OpenStore();
    // One server for all tests, data of its own for each.
    static const storage::RedisServer server;
    static int tests = 0;
    return storage::OpenStore(absl::StrCat("redis://", server.endpoint()), absl::StrCat("fieldwork", ++tests));
  }
};

}  // namespace peiling::fieldwork
