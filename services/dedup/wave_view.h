// Reading one wave: what the ledger has committed, and nothing that is not.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/survey/v1/feed.pb.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"

namespace peiling::dedup {

// Thread-safe. Errors as in dedup.proto and the store's; the requests were checked. A page may be short and yet have a
// token: the documents looked at and the bytes given are bounded.
class WaveView {
 public:
  // The store must outlive it.
  WaveView(storage::Store& store, std::string wave) : store_(store), wave_(std::move(wave)) {}

  absl::StatusOr<v1::GetCaseResponse> GetCase(const v1::GetCaseRequest& request) const;
  absl::StatusOr<v1::ListCasesResponse> ListCases(const v1::ListCasesRequest& request, const paging::Page& page) const;
  absl::StatusOr<v1::ListDecisionsResponse> ListDecisions(const v1::ListDecisionsRequest& request, const paging::Page& page) const;
  absl::StatusOr<v1::ListRulingsResponse> ListRulings(const v1::ListRulingsRequest& request, const paging::Page& page) const;
  absl::StatusOr<v1::GetRecordResponse> GetRecord(const v1::GetRecordRequest& request) const;
  absl::StatusOr<v1::ListRecordsResponse> ListRecords(const v1::ListRecordsRequest& request, const paging::Page& page) const;
  // The report with its position, as of one moment: the sum over the wave's partitions.
  absl::StatusOr<v1::GetCleaningReportResponse> GetCleaningReport() const;

  // Waits until the wave stands at `position` or beyond. DEADLINE_EXCEEDED/POSITION_NOT_REACHED at `deadline`; before that whatever error
  // `go_on` gives, which is asked at least every 200 ms.
  absl::Status WaitFor(const survey::v1::FeedPosition& position, std::chrono::system_clock::time_point deadline,
                       const std::function<absl::Status()>& go_on) const;

 private:
  // Puts the decisions in the place of the responses' names.
  absl::Status FillDecisions(v1::Case& survey_case) const;

  storage::Store& store_;
  const std::string wave_;
};

}  // namespace peiling::dedup
