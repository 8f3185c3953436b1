#include "services/common/storage/sqlite.h"

#include <cerrno>

#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

// SQLite knows a full disk by itself, but not a quota or a limit on the size of files: errno, cleared before the call, tells.
bool NoRoom(int code) {
  if ((code & 0xff) == SQLITE_FULL) return true;
  return (code & 0xff) == SQLITE_IOERR && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
}

}  // namespace

absl::Status SqliteError(sqlite3* db, int code, std::string_view doing) {
  const bool no_room = NoRoom(code);
  std::string message = std::string(doing) + ": " + (db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code));
  if (no_room) return status::Error(absl::StatusCode::kResourceExhausted, "STORAGE_FULL", message);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_CONSTRAINT:  // A row that was not found a moment ago: an index and its table differ.
      if (db != nullptr) message += std::string(" (") + sqlite3_db_filename(db, "main") + ")";
      return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", message);
    default:
      return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", message);
  }
}

Statement::Statement(sqlite3* db, const char* sql, absl::Status& status) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) status.Update(SqliteError(db, code, "prepare"));
}

Statement& Statement::Bind(int index, std::string_view bytes) {
  // A null pointer would bind NULL instead of no bytes.
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  sqlite3_bind_blob64(statement_.get(), index, data, bytes.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::Bind(int index, int64_t number) {
  sqlite3_bind_int64(statement_.get(), index, number);
  return *this;
}

Statement& Statement::BindNull(int index) {
  sqlite3_bind_null(statement_.get(), index);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  errno = 0;
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  absl::Status status;
  if (code != SQLITE_DONE) status = SqliteError(sqlite3_db_handle(statement_.get()), code, "storage");
  Reset();
  if (!status.ok()) return status;
  return false;
}

absl::Status Statement::Run() { return Step().status(); }

void Statement::Reset() { sqlite3_reset(statement_.get()); }

std::string_view Statement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  return {static_cast<const char*>(data), static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int64_t Statement::Number(int column) const { return sqlite3_column_int64(statement_.get(), column); }

bool Statement::IsNull(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

absl::StatusOr<Connection> Connect(const std::string& file, int flags) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &db, flags, nullptr);
  Connection connection(db);
  if (code != SQLITE_OK) return SqliteError(db, code, "open " + file);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  return connection;
}

absl::Status Execute(sqlite3* db, const std::string& sql) {
  errno = 0;
  const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : SqliteError(db, code, sql);
}

absl::StatusOr<std::string> QueryText(sqlite3* db, const std::string& sql) {
  absl::Status status;
  Statement statement(db, sql.c_str(), status);
  if (!status.ok()) return status;
  auto row = statement.Step();
  if (!row.ok()) return row.status();
  return *row ? std::string(statement.Bytes(0)) : std::string();
}

}  // namespace peiling::storage
