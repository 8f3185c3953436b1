#include "services/common/csv/csv_reader.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::csv {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

absl::Status ColumnsError(int64_t line, const std::string& what) {
  return status::Error(absl::StatusCode::kInvalidArgument, "CSV_COLUMNS", absl::StrCat("line ", line, ": ", what),
                       {{"line", absl::StrCat(line)}});
}

absl::Status CheckHeader(const Row& header, const std::vector<std::string>& required) {
  std::set<std::string_view> seen;
  for (const std::string& column : header.fields) {
    if (!seen.insert(column).second) return ColumnsError(header.line, absl::StrCat("column \"", column, "\" stands there twice"));
  }
  std::string missing;
  for (const std::string& column : required) {
    if (!seen.contains(column)) absl::StrAppend(&missing, missing.empty() ? "" : ", ", column);
  }
  if (missing.empty()) return absl::OkStatus();
  return ColumnsError(header.line, absl::StrCat("missing column ", missing));
}

}  // namespace

absl::Status Reader::Feed(std::string_view bytes, std::vector<Row>& rows) {
  for (size_t i = 0; i < bytes.size() && failure_.ok(); ++i) {
    if (mark_seen_ < kByteOrderMark.size()) {
      if (bytes[i] == kByteOrderMark[mark_seen_]) {
        ++mark_seen_;
        continue;
      }
      // No mark after all: what looked like its beginning is text.
      const size_t held = std::exchange(mark_seen_, kByteOrderMark.size());
      for (char c : kByteOrderMark.substr(0, held)) Take(c, rows);
    }
    Take(bytes[i], rows);
  }
  return failure_;
}

absl::Status Reader::Finish(std::vector<Row>& rows) {
  if (mark_seen_ < kByteOrderMark.size()) {
    const size_t held = std::exchange(mark_seen_, kByteOrderMark.size());
    for (char c : kByteOrderMark.substr(0, held)) Take(c, rows);
  }
  if (!failure_.ok()) return failure_;
  if (state_ == State::kQuoted) {
    Fail(quote_, "quote is never closed");
  } else if (row_begun_) {
    EndRow(rows);
  }
  return failure_;
}

void Reader::Take(char c, std::vector<Row>& rows) {
  // The second half of CRLF belongs to the line end that CR was; inside quotes it is text like any other.
  if (c == '\n' && after_cr_ && state_ != State::kQuoted) {
    after_cr_ = false;
    return;
  }
  if (c == '\0') return Fail(place_, "NUL byte");
  switch (state_) {
    case State::kFieldStart:
      TakeAtFieldStart(c, rows);
      break;
    case State::kUnquoted:
      TakeUnquoted(c, rows);
      break;
    case State::kQuoted:
      TakeQuoted(c);
      break;
    case State::kQuoteInQuoted:
      TakeAfterQuote(c, rows);
      break;
  }
  if (failure_.ok()) Advance(c);
}

void Reader::TakeAtFieldStart(char c, std::vector<Row>& rows) {
  if (!row_begun_) row_.line = place_.line;
  if (c == '\n' || c == '\r') {
    if (row_begun_) EndRow(rows);
    return;
  }
  row_begun_ = true;
  if (c == '"') {
    state_ = State::kQuoted;
    quote_ = place_;
  } else if (c == separator_) {
    EndField();
  } else {
    state_ = State::kUnquoted;
    Append(c);
  }
}

void Reader::TakeUnquoted(char c, std::vector<Row>& rows) {
  if (c == separator_) return EndField();
  if (c == '\n' || c == '\r') return EndRow(rows);
  if (c == '"') return Fail(place_, "quote inside a field that does not begin with one");
  Append(c);
}

void Reader::TakeQuoted(char c) {
  if (c == '"') {
    state_ = State::kQuoteInQuoted;
  } else {
    Append(c);
  }
}

void Reader::TakeAfterQuote(char c, std::vector<Row>& rows) {
  if (c == separator_) return EndField();
  if (c == '\n' || c == '\r') return EndRow(rows);
  if (c != '"') return Fail(place_, "text after a closing quote");
  Append(c);
  state_ = State::kQuoted;
}

void Reader::Append(char c) {
  if (field_.size() >= limits_.max_field_bytes) return Fail(place_, absl::StrCat("field of more than ", limits_.max_field_bytes, " bytes"));
  if (row_bytes_ >= limits_.max_row_bytes) return Fail(place_, absl::StrCat("row of more than ", limits_.max_row_bytes, " bytes"));
  field_.push_back(c);
  ++row_bytes_;
}

void Reader::EndField() {
  if (row_.fields.size() >= limits_.max_fields) return Fail(place_, absl::StrCat("row of more than ", limits_.max_fields, " fields"));
  row_.fields.push_back(std::move(field_));
  field_.clear();
  state_ = State::kFieldStart;
}

void Reader::EndRow(std::vector<Row>& rows) {
  EndField();
  if (!failure_.ok()) return;
  // The next row most likely has as many fields.
  const size_t fields = row_.fields.size();
  rows.push_back(std::move(row_));
  row_ = Row{};
  row_.fields.reserve(fields);
  row_bytes_ = 0;
  row_begun_ = false;
}

void Reader::Advance(char c) {
  const bool second_half = c == '\n' && after_cr_;
  after_cr_ = c == '\r';
  if (second_half) return;
  if (c == '\n' || c == '\r') {
    ++place_.line;
    place_.column = 1;
  } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
    // Not the continuation of a character of several bytes.
    ++place_.column;
  }
}

void Reader::Fail(const Place& place, std::string_view what) {
  failure_ = status::Error(absl::StatusCode::kInvalidArgument, "CSV_MALFORMED",
                           absl::StrCat("line ", place.line, ", column ", place.column, ": ", std::string(what)),
                           {{"line", absl::StrCat(place.line)}, {"column", absl::StrCat(place.column)}});
}

absl::StatusOr<Table> Table::Parse(std::string_view text, const std::vector<std::string>& required_columns) {
  Table table;
  Reader reader;
  absl::Status status = reader.Feed(text, table.rows_);
  if (status.ok()) status = reader.Finish(table.rows_);
  if (!status.ok()) return status;
  Row header;
  header.line = 1;
  if (!table.rows_.empty()) {
    header = std::move(table.rows_.front());
    table.rows_.erase(table.rows_.begin());
  }
  if (status = CheckHeader(header, required_columns); !status.ok()) return status;
  for (const Row& row : table.rows_) {
    if (row.fields.size() == header.fields.size()) continue;
    return ColumnsError(row.line, absl::StrCat(row.fields.size(), " fields, want ", header.fields.size(), " as in the header"));
  }
  table.header_ = std::move(header.fields);
  return table;
}

absl::StatusOr<Table> Table::Load(const std::string& path, const std::vector<std::string>& required_columns) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad())
    return status::Error(absl::StatusCode::kNotFound, "FILE_NOT_FOUND", absl::StrCat(path, ": cannot be read"));
  absl::StatusOr<Table> table = Parse(text, required_columns);
  if (table.ok()) return table;
  return status::Error(table.status().code(), status::Reason(table.status()),
                       absl::StrCat(path, ": ", std::string(table.status().message())), status::Metadata(table.status()));
}

const std::string& Table::at(size_t row, std::string_view column) const {
  const auto found = std::find(header_.begin(), header_.end(), column);
  return rows_[row].fields[static_cast<size_t>(found - header_.begin())];
}

std::string Quote(std::string_view field, char separator) {
  // Spaces at the ends are quoted too: some readers trim.
  const bool needs = field.find(separator) != std::string_view::npos || field.find_first_of("\"\r\n") != std::string_view::npos ||
                     (!field.empty() && (field.front() == ' ' || field.back() == ' '));
  if (!needs) return std::string(field);
  std::string quoted = "\"";
  for (char c : field) {
    if (c == '"') quoted.push_back('"');
    quoted.push_back(c);
  }
  quoted.push_back('"');
  return quoted;
}

}  // namespace peiling::csv
