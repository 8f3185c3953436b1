// Checks of requests, before anything is asked of the domain: INVALID_ARGUMENT/INVALID_REQUEST with every wrong field at once.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "services/common/paging/paging.h"

namespace peiling::dedup::validate {

absl::Status Check(const v1::GetCaseRequest& request);
absl::Status Check(const v1::GetRecordRequest& request);
// `caller`: subject of who asks; whoever is not known must be said in the request.
absl::Status Check(const v1::CreateRulingRequest& request, const std::string& caller);
absl::Status Check(const v1::RetractRulingRequest& request, const std::string& caller);
absl::Status Check(const v1::GetCleaningReportRequest& request);
absl::Status Check(const v1::WatchRecordsRequest& request);

// For lists, also the page asked for.
absl::StatusOr<paging::Page> CheckList(const v1::ListCasesRequest& request);
absl::StatusOr<paging::Page> CheckList(const v1::ListDecisionsRequest& request);
absl::StatusOr<paging::Page> CheckList(const v1::ListRulingsRequest& request);
absl::StatusOr<paging::Page> CheckList(const v1::ListRecordsRequest& request);

}  // namespace peiling::dedup::validate
