// What requests about drafts must look like, before anything is done with them (../validate.h).
#pragma once

#include "absl/status/status.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "services/common/paging/paging.h"

namespace peiling::intake {

absl::Status Validate(const v1::CreateDraftRequest& request);
absl::Status Validate(const v1::GetDraftRequest& request);
// Also RESOURCE_EXHAUSTED/RESPONSE_TOO_LARGE when the changes alone are larger than a response can be.
absl::Status Validate(const v1::SaveDraftRequest& request);
absl::Status Validate(const v1::SubmitDraftRequest& request);
absl::Status Validate(const v1::ReopenDraftRequest& request);
absl::Status Validate(const v1::ListDraftChangesRequest& request, paging::Page& page);
absl::Status Validate(const v1::BatchGetResponseStatesRequest& request);

}  // namespace peiling::intake
