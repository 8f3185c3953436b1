// Reads a survey tool's export: CSV with a column for each question, or for each option or row of it.
//
//   id, submitdate                                           required; a response with a submitdate was submitted
//   startdate, datestamp, lastpage, startlanguage            optional
//   token, seed, ipaddr, refurl                              read over: they may tell who somebody is
//   Q3                                                       text, number, date (also with a time of day); single: the option's code,
//   "-oth-" for other Q8[loket] … Q8[other]                                    multiple: "Y", or "N" or nothing; other: its text
//   Q10[other], Q11[comment]                                 single: the text of other, the comment beside an option
//   Q22[po]                                                  matrix: the option of a row
//
// Times are of Europe/Amsterdam. A value that makes no sense is kept in the answer as it stands, for validation to report; one that has no
// place in a response (a time, a page) is reported here. Knows no storage and no network.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::intake {

// One row of an export.
struct ExportRow {
  int64_t line = 0;
  // Last part of the response's name; empty when the row is refused.
  std::string id;
  // State, answers (personal ones too), times, language, last section; and as issues what was wrong with values outside the answers.
  v1::Response response;
  // Why the row cannot be a response, in Dutch; empty when it can.
  std::string refusal;
};

// Not thread-safe.
class ExportReader {
 public:
  // Rows of one file; more are refused, since the ids of all rows are kept.
  static constexpr int64_t kMaxRows = 2'000'000;

  // `source` is put before the ids, with a '~', unless it is empty.
  ExportReader(std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire, std::string source);
  ~ExportReader();

  // Takes the next bytes of the file and appends the rows they complete. After an error, `rows` has all rows before it, and nothing more is
  // taken. INVALID_ARGUMENT/EXPORT_COLUMNS with a violation for each missing, double and unknown column; EXPORT_ENCODING and
  // EXPORT_MALFORMED with metadata line and column.
  absl::Status Feed(std::string_view bytes, std::vector<ExportRow>& rows);
  // Ends the file. The same errors.
  absl::Status Finish(std::vector<ExportRow>& rows);

  int64_t bytes_read() const { return bytes_read_; }
  // Columns of the file that are read over because they may tell who somebody is.
  const std::vector<std::string>& unread_columns() const { return unread_columns_; }

 private:
  enum class Field { kId, kSubmitted, kStarted, kUpdated, kLastPage, kLanguage, kUnread, kValue, kOption, kRow, kOther, kComment };
  // Where the values of a column go.
  struct Column {
    Field field = Field::kUnread;
    survey::QuestionIndex question = survey::kNoQuestion;
    // Position of the option or row.
    int index = -1;
    bool required = true;
  };
  using Columns = absl::flat_hash_map<std::string, Column>;
  class Utf8Scanner;

  // Columns the tool and the questionnaire make.
  Columns ExpectedColumns() const;
  absl::Status ReadHeader(const csv::Row& header);
  absl::Status TakeBytes(std::string_view bytes, bool last, std::vector<ExportRow>& rows);
  absl::Status TakeRows(const std::vector<csv::Row>& raw, std::vector<ExportRow>& rows);
  ExportRow ReadRow(const csv::Row& row);
  void ReadId(const std::string& id, ExportRow& row);
  void ReadAbout(Field field, const std::string& value, v1::Response& response) const;
  void ReadAnswer(const Column& column, const std::string& value, survey::v1::Answer& answer) const;

  const std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire_;
  const std::string source_;
  csv::Reader csv_;
  std::unique_ptr<Utf8Scanner> utf8_;
  // By position in the file; empty until the header is read.
  std::vector<Column> columns_;
  // Positions as a row is read: the start first, since other times are read by it.
  std::vector<size_t> order_;
  std::vector<std::string> unread_columns_;
  absl::flat_hash_set<std::string> ids_;
  int64_t bytes_read_ = 0;
  int64_t rows_read_ = 0;
  // The first error, which is given again from then on.
  absl::Status failed_;
};

}  // namespace peiling::intake
