#include "services/intake/response_importer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/names/partitions.h"
#include "services/common/status/errors.h"
#include "services/common/storage/race.h"
#include "services/intake/answers.h"
#include "services/intake/metrics.h"
#include "services/intake/personal_answers.h"
#include "services/intake/respondent_key.h"
#include "services/intake/validate.h"
#include "services/intake/wave_times.h"

namespace peiling::intake {
namespace {

using ::peiling::validation::v1::ValidateResponsesRequest;

// How often a group that lost a race is written again.
constexpr int kAttempts = 20;
// Bytes of a group, so that it fits in a message to validation; a larger row goes alone.
constexpr size_t kGroupBytes = 2 << 20;

// What the respondent said: all that a row of an export determines.
std::string ContentOf(const v1::Response& response, const survey::v1::Answers& personal) {
  v1::Response content = response;
  content.clear_issues();
  content.clear_completeness();
  content.clear_etag();
  content.clear_sequence();
  return absl::StrCat(content.SerializeAsString(), "\n", personal.SerializeAsString());
}

// One import under way.
class Import {
 public:
  Import(Catalog& catalog, ResponseStore& responses, ResponseValidator& validator, const ImportStream& stream)
      : catalog_(catalog), responses_(responses), validator_(validator), stream_(stream) {}

  absl::Status Run();

 private:
  // A row on its way into the store.
  struct Row {
    ExportRow read;
    survey::v1::Answers personal;
    uint64_t expected_version = 0;
    v1::ImportOutcome outcome = v1::IMPORT_OUTCOME_REFUSED;
    std::string message;
  };
  using Group = std::vector<Row>;

  absl::Status ReadHeader();
  absl::Status ReadFile(ExportReader& reader);
  // Takes in the rows that were read: whole groups, or all when it is the end.
  absl::Status TakeIn(std::vector<ExportRow>& rows, bool all);
  absl::Status TakeInGroup(Group group);
  absl::Status Validate(Group& group);
  // Names the rows and takes personal answers apart.
  void Complete(Group& group);
  // Compares the group with what is stored, and stores what differs: partition by partition.
  absl::Status Store(Group& group);
  using Part = std::vector<Row*>;
  absl::Status Store(int partition, const Part& part);
  absl::Status Compare(int partition, const Part& part);
  absl::Status Report(Group& group);
  absl::Status Summarise();
  absl::Status Write(const v1::ImportResponsesResponse& report) const;
  void Count(const v1::ImportRow& row);
  // The next group from position `next` on, which it moves along.
  Group TakeGroup(std::vector<ExportRow>& rows, size_t& next) const;
  size_t GroupRows() const {
    return std::min(ResponseImporter::kGroupRows * static_cast<size_t>(questions_->partitions), ResponseImporter::kMostGroupRows);
  }
  absl::Status Gone() const { return status::Error(absl::StatusCode::kCancelled, "CANCELLED", "the client is gone"); }

  Catalog& catalog_;
  ResponseStore& responses_;
  ResponseValidator& validator_;
  const ImportStream& stream_;
  v1::ImportHeader header_;
  std::shared_ptr<const WaveQuestions> questions_;
  std::string secret_;
  int64_t bytes_read_ = 0;
  v1::ImportSummary summary_;
};

absl::Status Import::ReadHeader() {
  v1::ImportResponsesRequest first;
  if (!stream_.read(first) && stream_.cancelled()) return Gone();
  if (absl::Status status = ValidateImportHeader(first); !status.ok()) return status;
  header_ = std::move(*first.mutable_header());
  auto questions = catalog_.Questions(header_.parent());
  if (!questions.ok()) return questions.status();
  questions_ = *std::move(questions);
  auto wave = catalog_.RecentWave(header_.parent());
  if (!wave.ok()) return wave.status();
  if (absl::Status status = CheckNotErased(**wave, catalog_.now()); !status.ok()) return status;
  absl::StatusOr<std::string> secret = responses_.Secret(header_.parent(), /*create=*/!header_.dry_run());
  if (!secret.ok()) return secret.status();
  secret_ = *std::move(secret);
  return absl::OkStatus();
}

absl::Status Import::Run() {
  if (absl::Status status = ReadHeader(); !status.ok()) return status;
  ExportReader reader(questions_->questionnaire, header_.source());
  const absl::Status status = ReadFile(reader);
  if (!reader.unread_columns().empty()) {
    log::Warning("the export has columns that may tell who somebody is; they were not stored",
                 {{"wave", header_.parent()}, {"columns", absl::StrCat(reader.unread_columns().size())}});
  }
  return status.ok() ? Summarise() : status;
}

absl::Status Import::ReadFile(ExportReader& reader) {
  std::vector<ExportRow> rows;
  v1::ImportResponsesRequest piece;
  while (stream_.read(piece)) {
    if (absl::Status status = ValidateImportPiece(piece); !status.ok()) return status;
    const absl::Status read = reader.Feed(piece.content(), rows);
    bytes_read_ = reader.bytes_read();
    if (absl::Status status = TakeIn(rows, /*all=*/!read.ok()); !status.ok()) return status;
    if (!read.ok()) return read;
  }
  if (stream_.cancelled()) return Gone();
  absl::Status read = reader.Finish(rows);
  if (read.ok() && header_.content_length() > bytes_read_) {
    read = status::Error(absl::StatusCode::kInvalidArgument, "EXPORT_MALFORMED",
                         absl::StrCat("the file ends after ", bytes_read_, " bytes of ", header_.content_length()),
                         {{"line", absl::StrCat(rows.empty() ? 1 : rows.back().line)}, {"column", "1"}});
    // The end of the last row cannot be trusted.
    if (!rows.empty()) rows.pop_back();
  }
  if (absl::Status status = TakeIn(rows, /*all=*/true); !status.ok()) return status;
  return read;
}

Import::Group Import::TakeGroup(std::vector<ExportRow>& rows, size_t& next) const {
  Group group;
  size_t bytes = 0;
  for (; next < rows.size() && group.size() < GroupRows(); ++next) {
    bytes += rows[next].response.ByteSizeLong();
    if (!group.empty() && bytes > kGroupBytes) break;
    group.push_back({.read = std::move(rows[next])});
  }
  return group;
}

absl::Status Import::TakeIn(std::vector<ExportRow>& rows, bool all) {
  size_t next = 0;
  while (rows.size() - next >= GroupRows() || (all && next < rows.size())) {
    if (stream_.cancelled()) return Gone();
    if (absl::Status status = TakeInGroup(TakeGroup(rows, next)); !status.ok()) return status;
  }
  // At once, not group by group: a piece of small rows has thousands of groups.
  rows.erase(rows.begin(), rows.begin() + static_cast<ptrdiff_t>(next));
  return absl::OkStatus();
}

absl::Status Import::TakeInGroup(Group group) {
  if (absl::Status status = Validate(group); !status.ok()) return status;
  Complete(group);
  if (absl::Status status = Store(group); !status.ok()) return status;
  return Report(group);
}

absl::Status Import::Validate(Group& group) {
  // Answers travel to validation and back without a copy.
  ValidateResponsesRequest request;
  for (Row& row : group) {
    validation::v1::ResponseInput& input = *request.add_responses();
    input.mutable_answers()->Swap(row.read.response.mutable_answers());
    input.set_submitted(row.read.response.state() == v1::RESPONSE_STATE_SUBMITTED);
    input.set_last_section(row.read.response.last_section());
  }
  auto results = validator_.Validate(*questions_, stream_.make_context, request);
  if (!results.ok()) return results.status();
  for (size_t i = 0; i < group.size(); ++i) {
    v1::Response& response = group[i].read.response;
    validation::v1::ResponseResult& result = *results->mutable_results(static_cast<int>(i));
    response.mutable_answers()->Swap(request.mutable_responses(static_cast<int>(i))->mutable_answers());
    response.mutable_issues()->MergeFrom(result.issues());
    response.mutable_completeness()->Swap(result.mutable_completeness());
  }
  return absl::OkStatus();
}

void Import::Complete(Group& group) {
  const survey::CompiledQuestionnaire& questionnaire = *questions_->questionnaire;
  for (Row& row : group) {
    v1::Response& response = row.read.response;
    row.message = row.read.refusal;
    if (!row.message.empty()) continue;
    response.set_name(absl::StrCat(header_.parent(), "/responses/", row.read.id));
    response.set_respondent_key(RespondentKey(secret_, questionnaire, response.answers()));
    row.personal = TakePersonal(questionnaire, *response.mutable_answers());
  }
}

absl::Status Import::Compare(int partition, const Part& part) {
  std::vector<std::string> ids;
  for (const Row* row : part) ids.push_back(row->read.id);
  auto stored = responses_.FindMany(header_.parent(), partition, ids);
  if (!stored.ok()) return stored.status();
  for (size_t i = 0; i < part.size(); ++i) {
    Row& row = *part[i];
    const std::optional<StoredResponse>& old = (*stored)[i];
    row.expected_version = old ? old->version : 0;
    row.message.clear();
    if (old && old->response.has_personal_erased_at()) {
      row.personal.Clear();
      KeepErasure(old->response, row.personal, row.read.response);
    }
    if (!old) {
      row.outcome = v1::IMPORT_OUTCOME_ADDED;
    } else if (old->response.state() == v1::RESPONSE_STATE_WITHDRAWN) {
      row.outcome = v1::IMPORT_OUTCOME_UNCHANGED;
      row.message = "De respons is ingetrokken en blijft dat.";
    } else if (!old->response.municipalities().empty()) {
      row.outcome = v1::IMPORT_OUTCOME_UNCHANGED;
      row.message = "De respons wordt online ingevuld en blijft zoals hij is.";
    } else if (ContentOf(old->response, old->personal) == ContentOf(row.read.response, row.personal)) {
      row.outcome = v1::IMPORT_OUTCOME_UNCHANGED;
    } else {
      row.outcome = v1::IMPORT_OUTCOME_UPDATED;
    }
  }
  return absl::OkStatus();
}

absl::Status Import::Store(int partition, const Part& part) {
  if (absl::Status status = Compare(partition, part); !status.ok() || header_.dry_run()) return status;
  std::vector<ResponseChange> changes;
  for (Row* row : part) {
    if (row->outcome != v1::IMPORT_OUTCOME_ADDED && row->outcome != v1::IMPORT_OUTCOME_UPDATED) continue;
    changes.push_back({.response = &row->read.response, .personal = row->personal, .expected_version = row->expected_version});
  }
  // It is reported that the others are there as they should be.
  if (changes.size() < part.size()) {
    if (absl::Status status = responses_.Confirm(header_.parent(), partition); !status.ok()) return status;
  }
  if (changes.empty()) return absl::OkStatus();
  if (absl::Status status = catalog_.Use(*questions_); !status.ok()) return status;
  return responses_.Commit(header_.parent(), partition, changes);
}

absl::Status Import::Store(Group& group) {
  std::map<int, Part> parts;
  for (Row& row : group) {
    if (!row.read.id.empty()) parts[names::PartitionOf(row.read.id, questions_->partitions)].push_back(&row);
  }
  for (const auto& [partition, part] : parts) {
    absl::Status status = Store(partition, part);
    for (int attempt = 1; absl::IsAborted(status) && attempt < kAttempts; ++attempt) {
      storage::PauseAfterRace(attempt);
      // What was filled in for the commit is no part of the content; Compare leaves it out.
      status = Store(partition, part);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void Import::Count(const v1::ImportRow& row) {
  summary_.set_rows(summary_.rows() + 1);
  switch (row.outcome()) {
    case v1::IMPORT_OUTCOME_ADDED:
      summary_.set_added(summary_.added() + 1);
      break;
    case v1::IMPORT_OUTCOME_UPDATED:
      summary_.set_updated(summary_.updated() + 1);
      break;
    case v1::IMPORT_OUTCOME_UNCHANGED:
      summary_.set_unchanged(summary_.unchanged() + 1);
      break;
    default:
      summary_.set_refused(summary_.refused() + 1);
  }
  if (HasError(row.issues())) {
    summary_.set_with_errors(summary_.with_errors() + 1);
  } else if (!row.issues().empty()) {
    summary_.set_with_warnings(summary_.with_warnings() + 1);
  }
  if (!header_.dry_run()) CountRow(row.outcome());
}

absl::Status Import::Report(Group& group) {
  for (Row& row : group) {
    v1::ImportResponsesResponse report;
    v1::ImportRow& reported = *report.mutable_row();
    reported.set_line(row.read.line);
    reported.set_response(row.read.response.name());
    reported.set_outcome(row.outcome);
    reported.set_message(row.message);
    reported.mutable_issues()->Swap(row.read.response.mutable_issues());
    Count(reported);
    if (absl::Status status = Write(report); !status.ok()) return status;
  }
  v1::ImportResponsesResponse report;
  report.mutable_progress()->set_bytes_read(bytes_read_);
  report.mutable_progress()->set_rows(summary_.rows());
  return Write(report);
}

absl::Status Import::Summarise() {
  absl::StatusOr<survey::v1::FeedPosition> end = responses_.End(header_.parent(), questions_->partitions);
  if (!end.ok()) return end.status();
  v1::ImportResponsesResponse report;
  *summary_.mutable_position() = *std::move(end);
  *report.mutable_summary() = summary_;
  return Write(report);
}

absl::Status Import::Write(const v1::ImportResponsesResponse& report) const { return stream_.write(report) ? absl::OkStatus() : Gone(); }

}  // namespace

absl::Status ResponseImporter::Run(const ImportStream& stream) { return Import(catalog_, responses_, validator_, stream).Run(); }

}  // namespace peiling::intake
