#include <utility>

#include "services/common/status/errors.h"
#include "services/common/storage/observed_store.h"
#include "services/common/storage/redis_address.h"
#include "services/common/storage/redis_store.h"
#include "services/common/storage/sqlite_store.h"
#include "services/common/storage/store.h"

namespace peiling::storage {
namespace {

absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(const std::string& address, const std::string& name) {
  constexpr std::string_view kSqlite = "sqlite:";
  const std::string path = address.rfind(kSqlite, 0) == 0 ? address.substr(kSqlite.size()) : "";
  if (path.empty()) {
    // Not the rest of it: somebody may have put a password there.
    return status::Error(absl::StatusCode::kInvalidArgument, "STORAGE_ADDRESS",
                         "\"" + address.substr(0, address.find(':')) + "\" is no store, want sqlite:PATH or redis://HOST");
  }
  return path == ":memory:" ? SqliteStore::OpenMemory() : SqliteStore::OpenFile(path, name);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const std::string& address, const std::string& name) {
  const bool redis = IsRedisAddress(address);
  auto store = redis ? RedisStore::Open(address, name) : OpenSqlite(address, name);
  if (!store.ok()) return store.status();
  return Observe(*std::move(store), name, redis ? "redis" : "sqlite");
}

}  // namespace peiling::storage
