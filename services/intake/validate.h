// What a request must look like, before anything is done with it. Each function is OK or INVALID_ARGUMENT/INVALID_REQUEST with a violation
// for every wrong field. Lists also read their page.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/paging/paging.h"
#include "services/common/status/errors.h"

namespace peiling::intake {

// At most 100 characters; adds what is wrong to `bad`.
void CheckRequestId(const std::string& request_id, bool required, status::BadRequest& bad);

absl::Status Validate(const v1::ApplyDocumentsRequest& request);
absl::Status Validate(const v1::GetSurveyRequest& request);
absl::Status Validate(const v1::ListSurveysRequest& request, paging::Page& page);
absl::Status Validate(const v1::GetWaveRequest& request);
absl::Status Validate(const v1::ListWavesRequest& request, paging::Page& page);
absl::Status Validate(const v1::OpenWaveRequest& request);
absl::Status Validate(const v1::CloseWaveRequest& request);
absl::Status Validate(const v1::ExtendWaveRequest& request);
absl::Status Validate(const v1::ListWaveChangesRequest& request, paging::Page& page);
absl::Status Validate(const v1::GetQuestionnaireRequest& request);
absl::Status Validate(const v1::GetPublishedReportRequest& request);
absl::Status Validate(const v1::SubmitResponseRequest& request);
absl::Status Validate(const v1::GetResponseRequest& request);
absl::Status Validate(const v1::ListResponsesRequest& request, paging::Page& page);
absl::Status Validate(const v1::WithdrawResponseRequest& request);
absl::Status Validate(const v1::ErasePersonalAnswersRequest& request);
absl::Status Validate(const v1::WatchSubmissionsRequest& request);
// The same once it is known how many partitions the wave has.
absl::Status ValidatePartition(const v1::WatchSubmissionsRequest& request, int partitions);

// The first message of an import, and the later ones.
absl::Status ValidateImportHeader(const v1::ImportResponsesRequest& request);
absl::Status ValidateImportPiece(const v1::ImportResponsesRequest& request);

}  // namespace peiling::intake
