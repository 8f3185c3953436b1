// SQLite's C interface with owners and absl::Status. Private to this library.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace peiling::storage {

// How long a connection waits for a lock of another one.
inline constexpr int kBusyTimeoutMs = 10'000;

// What SQLite said, as the store's error; `doing` begins the message ("commit").
absl::Status SqliteError(sqlite3* db, int code, std::string_view doing);

// A prepared statement. Bound bytes are not copied: they must live until Reset. Not thread-safe.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, const char* sql, absl::Status& status);

  Statement& Bind(int index, std::string_view bytes);
  Statement& Bind(int index, int64_t number);
  Statement& BindNull(int index);

  // True when there is a row, false at the end; after the end or an error the statement is reset.
  absl::StatusOr<bool> Step();
  // Runs a statement that gives no rows.
  absl::Status Run();
  void Reset();

  std::string_view Bytes(int column) const;
  int64_t Number(int column) const;
  bool IsNull(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Resets a statement at the end of a scope, so that it does not hold a snapshot.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.Reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

struct CloseSqlite {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Connection = std::unique_ptr<sqlite3, CloseSqlite>;

// Opens a connection; `flags` as for sqlite3_open_v2.
absl::StatusOr<Connection> Connect(const std::string& file, int flags);

// Runs statements without parameters and rows of interest.
absl::Status Execute(sqlite3* db, const std::string& sql);
// The first column of the first row of a query.
absl::StatusOr<std::string> QueryText(sqlite3* db, const std::string& sql);

}  // namespace peiling::storage
