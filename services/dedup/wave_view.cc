#include "services/dedup/wave_view.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/feed/position.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/dedup/cleaning_report.h"
#include "services/dedup/documents.h"

namespace peiling::dedup {
namespace {

using absl::StatusCode;

constexpr size_t kReadAtOnce = 1000;
// A page ends early when it has this much, so that it stays below gRPC's usual limit of 4 MiB for a message.
constexpr size_t kMaxPageBytes = 2 << 20;
// Documents looked at for one page.
constexpr size_t kMaxLookedAt = 20000;
constexpr std::chrono::milliseconds kAskGoOn(200);

absl::Status NotFound(const char* reason, const std::string& name) {
  return status::Error(StatusCode::kNotFound, reason, absl::StrCat("no ", name), {{"name", name}});
}

// Adds the documents under `prefix` that `accept` wants to a page, until it is full; returns the token of the next one.
template <typename Message, typename Request>
absl::StatusOr<std::string> ReadPage(storage::Store& store, const std::string& wave, const char* prefix, const Request& request,
                                     const paging::Page& page, google::protobuf::RepeatedPtrField<Message>& into,
                                     const std::function<absl::StatusOr<bool>(Message&)>& accept) {
  std::string after = page.after;
  size_t bytes = 0;
  for (size_t looked_at = 0; looked_at < kMaxLookedAt;) {
    const size_t limit = std::min(kReadAtOnce, static_cast<size_t>(page.size - into.size()) + 1);
    auto documents = store.List(wave, prefix, after, limit);
    if (!documents.ok()) return documents.status();
    for (storage::Document& document : *documents) {
      if (into.size() == page.size || bytes >= kMaxPageBytes) return paging::NextPageToken(request, after);
      Message message;
      if (absl::Status parsed = documents::Parse(document.key, document.value, message); !parsed.ok()) return parsed;
      auto accepted = accept(message);
      if (!accepted.ok()) return accepted.status();
      after = document.key;
      if (!*accepted) continue;
      bytes += message.ByteSizeLong();
      *into.Add() = std::move(message);
    }
    if (documents->size() < limit) return "";
    looked_at += documents->size();
  }
  return paging::NextPageToken(request, after);
}

template <typename Message>
absl::StatusOr<bool> AcceptAll(Message&) {
  return true;
}

// Leaves the message empty when there is no document.
absl::Status ParseFound(const std::optional<storage::Document>& document, google::protobuf::Message& message) {
  return document.has_value() ? documents::Parse(document->key, document->value, message) : absl::OkStatus();
}

// The report and the position of a wave, from the documents of its partitions: position and share of each in turn, after one other.
absl::StatusOr<v1::GetCleaningReportResponse> SumOfShares(const std::vector<std::optional<storage::Document>>& found) {
  v1::GetCleaningReportResponse response;
  for (size_t i = 1; i + 1 < found.size(); i += 2) {
    survey::v1::FeedPosition position;
    if (absl::Status parsed = ParseFound(found[i], position); !parsed.ok()) return parsed;
    feed::SetSubmissions(*response.mutable_position(), static_cast<int>(i / 2), position.submissions());
    const uint64_t records = found[i].has_value() ? found[i]->sequence : 0;
    response.mutable_position()->set_records(std::max(response.position().records(), records));
    v1::CleaningReport share;
    if (absl::Status parsed = ParseFound(found[i + 1], share); !parsed.ok()) return parsed;
    Add(share, *response.mutable_report());
  }
  return response;
}

}  // namespace

absl::StatusOr<v1::GetCaseResponse> WaveView::GetCase(const v1::GetCaseRequest& request) const {
  auto found = documents::Read<v1::Case>(store_, wave_, documents::KeyOf(documents::kCases, request.name()));
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NotFound("CASE_NOT_FOUND", request.name());
  v1::GetCaseResponse response;
  *response.mutable_survey_case() = **std::move(found);
  if (absl::Status filled = FillDecisions(*response.mutable_survey_case()); !filled.ok()) return filled;
  return response;
}

absl::Status WaveView::FillDecisions(v1::Case& survey_case) const {
  std::vector<std::string> keys;
  for (const v1::Decision& decision : survey_case.decisions()) keys.push_back(documents::KeyOf(documents::kDecisions, decision.response()));
  auto found = store_.GetMany(wave_, keys);
  if (!found.ok()) return found.status();
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!(*found)[i].has_value()) continue;
    v1::Decision& decision = *survey_case.mutable_decisions(static_cast<int>(i));
    if (absl::Status parsed = documents::Parse(keys[i], (*found)[i]->value, decision); !parsed.ok()) return parsed;
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ListCasesResponse> WaveView::ListCases(const v1::ListCasesRequest& request, const paging::Page& page) const {
  v1::ListCasesResponse response;
  const auto accept = [&](v1::Case& survey_case) -> absl::StatusOr<bool> {
    if (request.state() != v1::CASE_STATE_UNSPECIFIED && survey_case.state() != request.state()) return false;
    if (request.several_responses() && survey_case.decisions_size() < 2) return false;
    if (request.contradicting() && survey_case.contradictions_size() == 0) return false;
    if (absl::Status filled = FillDecisions(survey_case); !filled.ok()) return filled;
    return true;
  };
  auto token = ReadPage<v1::Case>(store_, wave_, documents::kCases, request, page, *response.mutable_cases(), accept);
  if (!token.ok()) return token.status();
  response.set_next_page_token(*std::move(token));
  return response;
}

absl::StatusOr<v1::ListDecisionsResponse> WaveView::ListDecisions(const v1::ListDecisionsRequest& request, const paging::Page& page) const {
  v1::ListDecisionsResponse response;
  const auto accept = [&](v1::Decision& decision) -> absl::StatusOr<bool> {
    return request.disposition() == v1::DISPOSITION_UNSPECIFIED || decision.disposition() == request.disposition();
  };
  auto token = ReadPage<v1::Decision>(store_, wave_, documents::kDecisions, request, page, *response.mutable_decisions(), accept);
  if (!token.ok()) return token.status();
  response.set_next_page_token(*std::move(token));
  return response;
}

absl::StatusOr<v1::ListRulingsResponse> WaveView::ListRulings(const v1::ListRulingsRequest& request, const paging::Page& page) const {
  v1::ListRulingsResponse response;
  auto token = ReadPage<v1::Ruling>(store_, wave_, documents::kRulings, request, page, *response.mutable_rulings(), AcceptAll<v1::Ruling>);
  if (!token.ok()) return token.status();
  response.set_next_page_token(*std::move(token));
  return response;
}

absl::StatusOr<v1::GetRecordResponse> WaveView::GetRecord(const v1::GetRecordRequest& request) const {
  auto found = documents::Read<v1::Record>(store_, wave_, documents::KeyOf(documents::kRecords, request.name()));
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NotFound("RECORD_NOT_FOUND", request.name());
  v1::GetRecordResponse response;
  *response.mutable_record() = **std::move(found);
  return response;
}

absl::StatusOr<v1::ListRecordsResponse> WaveView::ListRecords(const v1::ListRecordsRequest& request, const paging::Page& page) const {
  v1::ListRecordsResponse response;
  auto token = ReadPage<v1::Record>(store_, wave_, documents::kRecords, request, page, *response.mutable_records(), AcceptAll<v1::Record>);
  if (!token.ok()) return token.status();
  response.set_next_page_token(*std::move(token));
  return response;
}

absl::StatusOr<v1::GetCleaningReportResponse> WaveView::GetCleaningReport() const {
  // How many partitions there are stands in the wave; nearly always one.
  int partitions = 1;
  while (true) {
    std::vector<std::string> keys = {documents::kWave};
    for (int partition = 0; partition < partitions; ++partition) {
      keys.push_back(documents::PartitionKey(documents::kPositions, partition));
      keys.push_back(documents::PartitionKey(documents::kReports, partition));
    }
    auto found = store_.GetMany(wave_, keys);
    if (!found.ok()) return found.status();
    intake::v1::Wave wave;
    if (absl::Status parsed = ParseFound(found->front(), wave); !parsed.ok()) return parsed;
    if (wave.partitions() <= partitions) return SumOfShares(*found);
    partitions = wave.partitions();
  }
}

absl::Status WaveView::WaitFor(const survey::v1::FeedPosition& position, std::chrono::system_clock::time_point deadline,
                               const std::function<absl::Status()>& go_on) const {
  while (true) {
    auto report = GetCleaningReport();
    if (!report.ok()) return report.status();
    const survey::v1::FeedPosition& stands = report->position();
    if (feed::Reached(stands, position)) return absl::OkStatus();
    if (absl::Status status = go_on(); !status.ok()) return status;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::system_clock::now());
    if (left.count() <= 0) {
      return status::Error(StatusCode::kDeadlineExceeded, "POSITION_NOT_REACHED", absl::StrCat(wave_, " does not stand there yet"),
                           {{"submissions", feed::SubmissionsText(stands)}, {"records", std::to_string(stands.records())}});
    }
    // Every step appends to the feed, so this wakes with the next one.
    auto waited = store_.WaitFeed(wave_, stands.records(), std::min(left, kAskGoOn));
    if (!waited.ok()) return waited.status();
  }
}

}  // namespace peiling::dedup
