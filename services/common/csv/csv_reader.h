// CSV as RFC 4180 has it and survey tools write it: comma-separated (or by another character), quoted fields with doubled quotes and line
// breaks, lines that end in LF, CRLF or CR, an optional byte order mark. Reads piece by piece, so a file of any size takes bounded memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace peiling::csv {

struct Row {
  // Line on which the row begins, from 1.
  int64_t line = 0;
  std::vector<std::string> fields;
};

struct Limits {
  size_t max_field_bytes = 1 << 20;
  size_t max_fields = 10'000;
  size_t max_row_bytes = 16 << 20;
};

// Not thread-safe.
class Reader {
 public:
  explicit Reader(Limits limits = {}, char separator = ',') : limits_(limits), separator_(separator) {}

  // Takes the next bytes and appends the rows they complete to `rows`. Blank lines are no rows.
  // INVALID_ARGUMENT/CSV_MALFORMED (metadata: line, column) for a quote inside an unquoted field, text after a closing quote, a NUL byte,
  // or a field or row over the limits; rows before it are in `rows`, and the reader takes nothing after it. Column counts characters
  // from 1.
  absl::Status Feed(std::string_view bytes, std::vector<Row>& rows);

  // Ends the file: completes a last row without line end. The same errors, and for a quote that was never closed (at its opening place).
  absl::Status Finish(std::vector<Row>& rows);

 private:
  enum class State { kFieldStart, kUnquoted, kQuoted, kQuoteInQuoted };
  struct Place {
    int64_t line = 1;
    int64_t column = 1;
  };

  void Take(char c, std::vector<Row>& rows);
  void TakeAtFieldStart(char c, std::vector<Row>& rows);
  void TakeUnquoted(char c, std::vector<Row>& rows);
  void TakeQuoted(char c);
  void TakeAfterQuote(char c, std::vector<Row>& rows);
  void Append(char c);
  void EndField();
  void EndRow(std::vector<Row>& rows);
  void Advance(char c);
  void Fail(const Place& place, std::string_view what);

  Limits limits_;
  char separator_;
  State state_ = State::kFieldStart;
  // Whether something stands on the line already, so that it is not blank.
  bool row_begun_ = false;
  bool after_cr_ = false;
  // Bytes of the byte order mark seen so far; 3: past the place where one can be.
  size_t mark_seen_ = 0;
  Place place_;
  Place quote_;
  std::string field_;
  size_t row_bytes_ = 0;
  Row row_;
  absl::Status failure_;
};

// A whole file with a header line, for reference data and rulings: rows as columns by name.
class Table {
 public:
  // INVALID_ARGUMENT/CSV_MALFORMED as above; INVALID_ARGUMENT/CSV_COLUMNS when a column is missing or double, or a row has another number
  // of fields than the header (metadata: line).
  static absl::StatusOr<Table> Parse(std::string_view text, const std::vector<std::string>& required_columns);
  // NOT_FOUND/FILE_NOT_FOUND when the file cannot be read; else as Parse, with the path in the message.
  static absl::StatusOr<Table> Load(const std::string& path, const std::vector<std::string>& required_columns);

  size_t size() const { return rows_.size(); }
  int64_t line(size_t row) const { return rows_[row].line; }
  const std::vector<std::string>& header() const { return header_; }
  // Of a column that exists.
  const std::string& at(size_t row, std::string_view column) const;

 private:
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

// A field as written: quoted when it has to be.
std::string Quote(std::string_view field, char separator = ',');

}  // namespace peiling::csv
