#include "services/common/status/errors.h"
#include "services/common/storage/sqlite_store.h"
#include "services/common/storage/store.h"

namespace peiling::storage {

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const std::string& address, const std::string& name) {
  constexpr std::string_view kSqlite = "sqlite:";
  const std::string path = address.rfind(kSqlite, 0) == 0 ? address.substr(kSqlite.size()) : "";
  if (path.empty()) {
    return status::Error(absl::StatusCode::kInvalidArgument, "STORAGE_ADDRESS", "\"" + address + "\" is no store, want sqlite:PATH");
  }
  return path == ":memory:" ? SqliteStore::OpenMemory() : SqliteStore::OpenFile(path, name);
}

}  // namespace peiling::storage
