#include "services/intake/export_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"
#include "services/intake/answers.h"

namespace peiling::intake {
namespace {

using ::google::protobuf::Timestamp;
using ::peiling::survey::v1::Answer;
using ::peiling::survey::v1::Question;

// What the tool writes for the option that asks for a text of its own.
constexpr char kOther[] = "-oth-";
// The submitdate of a survey that keeps no times.
constexpr absl::CivilSecond kNoTime(1980, 1, 1);
constexpr size_t kMaxLanguageBytes = 35;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// "2022-09-05 05:01:35", also without seconds or with a T.
std::optional<absl::CivilSecond> ParseTime(const std::string& text) {
  const std::string iso = absl::StrReplaceAll(text, {{" ", "T"}});
  absl::CivilSecond second;
  if (absl::ParseCivilTime(iso, &second)) return second;
  absl::CivilMinute minute;
  if (absl::ParseCivilTime(iso, &minute)) return absl::CivilSecond(minute);
  return std::nullopt;
}

// A time on Dutch clocks. When they go back an hour comes twice: the first is taken, unless that is before `not_before`. When they go
// forward an hour does not exist: it is taken as if they had not.
Timestamp ToTimestamp(const absl::CivilSecond& local, int64_t not_before) {
  const absl::TimeZone::TimeInfo info = calendar::Amsterdam().At(local);
  absl::Time time = info.pre;
  if (info.kind == absl::TimeZone::TimeInfo::REPEATED && absl::ToUnixSeconds(time) < not_before) time = info.post;
  return calendar::ToProto(time);
}

void AddIssue(const std::string& column, const std::string& want, v1::Response& response) {
  validation::v1::Issue& issue = *response.add_issues();
  issue.set_code(column);
  issue.set_kind(validation::v1::ISSUE_KIND_WRONG_TYPE);
  issue.set_severity(validation::v1::SEVERITY_ERROR);
  issue.set_message(absl::StrCat("De waarde in kolom ", column, " is geen ", want, "."));
}

// Sets one of the response's times. False when the value is no time, or none that a Timestamp can hold.
bool ReadTime(const std::string& value, v1::Response& response, Timestamp* (v1::Response::*field)()) {
  const std::optional<absl::CivilSecond> local = ParseTime(value);
  if (!local || local->year() < 1900 || local->year() > 9999) return false;
  if (*local != kNoTime) *(response.*field)() = ToTimestamp(*local, response.started_at().seconds());
  return true;
}

void ReadNumber(const std::string& value, Answer& answer) {
  double number = 0;
  if (absl::SimpleAtod(value, &number) && std::isfinite(number)) {
    answer.set_number(number);
  } else {
    answer.set_text(value);
  }
}

// The tool writes a date with a time of day.
void ReadDate(const std::string& value, Answer& answer) {
  const std::string day = value.substr(0, 10);
  const bool only_time_follows = value.size() > 10 && ParseTime(value).has_value();
  answer.set_date(only_time_follows && names::IsDate(day) ? day : value);
}

bool HasComment(const Question& question) {
  return std::any_of(question.options().begin(), question.options().end(), [](const auto& option) { return option.comment(); });
}

bool IsBlank(const std::string& value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); });
}

absl::Status Malformed(const std::string& line, const std::string& column, const std::string& message) {
  return status::Error(absl::StatusCode::kInvalidArgument, "EXPORT_MALFORMED", message, {{"line", line}, {"column", column}});
}

// The CSV reader's error as one of the export.
absl::Status FromCsv(const absl::Status& status) {
  if (status::Reason(status) != "CSV_MALFORMED") return status;
  std::map<std::string, std::string> metadata = status::Metadata(status);
  return Malformed(metadata["line"], metadata["column"], std::string(status.message()));
}

}  // namespace

// Finds the first byte that is not UTF-8, in a file that comes in pieces.
class ExportReader::Utf8Scanner {
 public:
  // Moves to `valid` what is UTF-8 for certain; the beginning of a character at the end is held for the next piece.
  absl::Status Take(std::string_view bytes, bool last, std::string& valid) {
    held_.append(bytes);
    size_t at = 0;
    while (at < held_.size()) {
      const size_t length = LengthOf(held_[at]);
      if (length > held_.size() - at && !last) break;
      if (length != 1 && !text::IsValidUtf8(std::string_view(held_).substr(at, length))) break;
      if (length == 0 || length > held_.size() - at) break;
      Advance(std::string_view(held_).substr(at, length));
      at += length;
    }
    valid.assign(held_, 0, at);
    held_.erase(0, at);
    // More than the beginning of one character is left only before a byte that is wrong.
    if (held_.empty() || (!last && held_.size() < LengthOf(held_.front()))) return absl::OkStatus();
    const std::string line = absl::StrCat(line_), column = absl::StrCat(column_);
    return status::Error(absl::StatusCode::kInvalidArgument, "EXPORT_ENCODING",
                         absl::StrCat("line ", line, ", column ", column, ": not UTF-8; export the file again with that encoding"),
                         {{"line", line}, {"column", column}});
  }

 private:
  // Bytes of the character that begins so; 0: none does.
  static size_t LengthOf(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) return 1;
    if (byte >= 0xC2 && byte <= 0xDF) return 2;
    if (byte >= 0xE0 && byte <= 0xEF) return 3;
    if (byte >= 0xF0 && byte <= 0xF4) return 4;
    return 0;
  }

  void Advance(std::string_view character) {
    const bool first = std::exchange(begun_, true) == false;
    if (first && character == kByteOrderMark) return;
    const bool second_half = character == "\n" && after_cr_;
    after_cr_ = character == "\r";
    if (second_half) return;
    if (character == "\n" || character == "\r") {
      ++line_;
      column_ = 1;
    } else {
      ++column_;
    }
  }

  std::string held_;
  bool begun_ = false;
  bool after_cr_ = false;
  int64_t line_ = 1;
  int64_t column_ = 1;
};

ExportReader::ExportReader(std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire, std::string source)
    : questionnaire_(std::move(questionnaire)), source_(std::move(source)), utf8_(std::make_unique<Utf8Scanner>()) {}

ExportReader::~ExportReader() = default;

absl::Status ExportReader::Feed(std::string_view bytes, std::vector<ExportRow>& rows) {
  bytes_read_ += static_cast<int64_t>(bytes.size());
  if (failed_.ok()) failed_ = TakeBytes(bytes, /*last=*/false, rows);
  return failed_;
}

absl::Status ExportReader::Finish(std::vector<ExportRow>& rows) {
  if (failed_.ok()) failed_ = TakeBytes("", /*last=*/true, rows);
  return failed_;
}

absl::Status ExportReader::TakeBytes(std::string_view bytes, bool last, std::vector<ExportRow>& rows) {
  std::string valid;
  const absl::Status encoding = utf8_->Take(bytes, last, valid);
  std::vector<csv::Row> raw;
  absl::Status csv = csv_.Feed(valid, raw);
  if (last && csv.ok() && encoding.ok()) csv = csv_.Finish(raw);
  // What stands before the error comes first.
  if (absl::Status status = TakeRows(raw, rows); !status.ok()) return status;
  if (!csv.ok()) return FromCsv(csv);
  if (!encoding.ok()) return encoding;
  // A file without a header misses every column.
  return last && columns_.empty() ? ReadHeader({}) : absl::OkStatus();
}

absl::Status ExportReader::TakeRows(const std::vector<csv::Row>& raw, std::vector<ExportRow>& rows) {
  for (const csv::Row& row : raw) {
    if (columns_.empty()) {
      if (absl::Status status = ReadHeader(row); !status.ok()) return status;
      continue;
    }
    const std::string line = absl::StrCat(row.line);
    if (row.fields.size() != columns_.size()) {
      return Malformed(line, "1",
                       absl::StrCat("line ", line, ": ", row.fields.size(), " fields, want ", columns_.size(), " as in the header"));
    }
    if (++rows_read_ > kMaxRows) {
      return Malformed(line, "1", absl::StrCat("line ", line, ": more than ", kMaxRows, " rows; split the file"));
    }
    rows.push_back(ReadRow(row));
  }
  return absl::OkStatus();
}

ExportReader::Columns ExportReader::ExpectedColumns() const {
  Columns columns = {{"id", {.field = Field::kId}},
                     {"submitdate", {.field = Field::kSubmitted}},
                     {"startdate", {.field = Field::kStarted, .required = false}},
                     {"datestamp", {.field = Field::kUpdated, .required = false}},
                     {"lastpage", {.field = Field::kLastPage, .required = false}},
                     {"startlanguage", {.field = Field::kLanguage, .required = false}}};
  for (const char* unread : {"token", "seed", "ipaddr", "refurl"}) columns[unread] = {.field = Field::kUnread, .required = false};
  for (survey::QuestionIndex i = 0; i < static_cast<int>(questionnaire_->questions().size()); ++i) {
    const Question& question = *questionnaire_->questions()[i].question;
    const auto add = [&](const std::string& part, Field field, int index = -1) {
      columns[part.empty() ? question.code() : absl::StrCat(question.code(), "[", part, "]")] = {
          .field = field, .question = i, .index = index};
    };
    if (question.type() == survey::v1::QUESTION_TYPE_MATRIX) {
      for (int row = 0; row < question.rows_size(); ++row) add(question.rows(row).code(), Field::kRow, row);
    } else if (question.type() == survey::v1::QUESTION_TYPE_MULTIPLE) {
      for (int option = 0; option < question.options_size(); ++option) {
        if (question.options(option).code() != question.other_code()) add(question.options(option).code(), Field::kOption, option);
      }
    } else {
      add("", Field::kValue);
    }
    if (!question.other_code().empty()) add("other", Field::kOther);
    if (HasComment(question)) add("comment", Field::kComment);
  }
  return columns;
}

absl::Status ExportReader::ReadHeader(const csv::Row& header) {
  status::BadRequest bad;
  Columns expected = ExpectedColumns();
  absl::flat_hash_set<std::string> seen;
  for (const std::string& name : header.fields) {
    const auto column = expected.find(name);
    if (!seen.insert(name).second) {
      bad.Add(name, "stands in the header more than once");
    } else if (column == expected.end()) {
      bad.Add(name, "is no column of this questionnaire");
    } else {
      columns_.push_back(column->second);
      if (column->second.field == Field::kUnread) unread_columns_.push_back(name);
    }
  }
  for (size_t i = 0; i < columns_.size(); ++i) order_.push_back(i);
  std::stable_partition(order_.begin(), order_.end(), [this](size_t i) { return columns_[i].field == Field::kStarted; });
  std::vector<std::string> missing;
  for (const auto& [name, column] : expected) {
    if (column.required && !seen.contains(name)) missing.push_back(name);
  }
  std::sort(missing.begin(), missing.end());
  for (const std::string& name : missing) bad.Add(name, "is missing");
  return bad.ToStatus("EXPORT_COLUMNS");
}

void ExportReader::ReadId(const std::string& id, ExportRow& row) {
  // Neither a source nor an id of an export has a '~', so no two rows of different sources come to the same name.
  const std::string full = source_.empty() ? id : absl::StrCat(source_, "~", id);
  if (id.empty()) {
    row.refusal = "De rij heeft geen id.";
  } else if (!names::IsId(full) || absl::StrContains(id, '~')) {
    row.refusal = "Het id is geen geldige naam: met de bron hoogstens 100 letters, cijfers, '-', '_' en '.', niet beginnend met een punt.";
  } else if (!ids_.insert(full).second) {
    row.refusal = "Het id komt al eerder in het bestand voor.";
  } else {
    row.id = full;
  }
}

void ExportReader::ReadAbout(Field field, const std::string& value, v1::Response& response) const {
  int32_t page = 0;
  switch (field) {
    case Field::kSubmitted:
      response.set_state(v1::RESPONSE_STATE_SUBMITTED);
      if (!ReadTime(value, response, &v1::Response::mutable_submitted_at)) AddIssue("submitdate", "tijdstip", response);
      break;
    case Field::kStarted:
      if (!ReadTime(value, response, &v1::Response::mutable_started_at)) AddIssue("startdate", "tijdstip", response);
      break;
    case Field::kUpdated:
      if (!ReadTime(value, response, &v1::Response::mutable_updated_at)) AddIssue("datestamp", "tijdstip", response);
      break;
    case Field::kLastPage:
      if (absl::SimpleAtoi(value, &page) && page >= 0) {
        response.set_last_section(page);
      } else {
        AddIssue("lastpage", "paginanummer", response);
      }
      break;
    case Field::kLanguage:
      if (value.size() <= kMaxLanguageBytes) {
        response.set_language(value);
      } else {
        AddIssue("startlanguage", "taal", response);
      }
      break;
    default:
      break;
  }
}

void ExportReader::ReadAnswer(const Column& column, const std::string& value, Answer& answer) const {
  const Question& question = *questionnaire_->questions()[column.question].question;
  const bool other = column.field == Field::kOther;
  switch (column.field) {
    case Field::kOption: {
      // "N" says that the option was not chosen. Anything but Y and N is kept, in a form that no option has.
      const std::string& code = question.options(column.index).code();
      if (value != "N") answer.mutable_selection()->add_codes(value == "Y" ? code : absl::StrCat(code, "=", value));
      return;
    }
    case Field::kOther:
    case Field::kComment:
      (other ? answer.mutable_selection()->mutable_other_text() : answer.mutable_selection()->mutable_comment())->assign(value);
      // The tool has no other sign that somebody chose it.
      if (other && question.type() == survey::v1::QUESTION_TYPE_MULTIPLE) answer.mutable_selection()->add_codes(question.other_code());
      return;
    case Field::kRow: {
      survey::v1::Cell& cell = *answer.mutable_grid()->add_cells();
      cell.set_row(question.rows(column.index).code());
      cell.set_option(value);
      return;
    }
    default:
      break;
  }
  switch (question.type()) {
    case survey::v1::QUESTION_TYPE_NUMBER:
      return ReadNumber(value, answer);
    case survey::v1::QUESTION_TYPE_DATE:
      return ReadDate(value, answer);
    case survey::v1::QUESTION_TYPE_SINGLE:
      answer.mutable_selection()->add_codes(value == kOther && !question.other_code().empty() ? question.other_code() : value);
      return;
    default:
      answer.set_text(value);
  }
}

ExportRow ExportReader::ReadRow(const csv::Row& raw) {
  ExportRow row{.line = raw.line};
  v1::Response& response = row.response;
  response.set_state(v1::RESPONSE_STATE_STARTED);
  // Positions in the answers, by question, since a question has several columns.
  std::vector<int> position(questionnaire_->questions().size(), -1);
  const std::string* id = nullptr;
  for (const size_t i : order_) {
    const Column& column = columns_[i];
    const std::string& value = raw.fields[i];
    if (column.field == Field::kId) id = &value;
    if (column.field == Field::kUnread || column.field == Field::kId || IsBlank(value)) continue;
    if (column.question == survey::kNoQuestion) {
      ReadAbout(column.field, value, response);
      continue;
    }
    int& at = position[column.question];
    if (at < 0) {
      at = response.answers().answers_size();
      response.mutable_answers()->add_answers()->set_question(questionnaire_->questions()[column.question].question->code());
    }
    ReadAnswer(column, value, *response.mutable_answers()->mutable_answers(at));
  }
  ReadId(*id, row);
  Normalise(*questionnaire_, *response.mutable_answers());
  if (const size_t bytes = response.ByteSizeLong(); bytes > kMaxResponseBytes) {
    response.Clear();
    row.id.clear();
    row.refusal = absl::StrCat("De rij is te groot: ", bytes, " bytes, hoogstens ", kMaxResponseBytes, ".");
  }
  return row;
}

}  // namespace peiling::intake
