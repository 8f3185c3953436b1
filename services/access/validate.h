// What a request must look like, before anything is done with it. Each function is OK or INVALID_ARGUMENT/INVALID_REQUEST with a violation
// for every wrong field. Lists also read their page.
#pragma once

#include "absl/status/status.h"
#include "peiling/access/v1/access.pb.h"
#include "services/common/paging/paging.h"

namespace peiling::access {

absl::Status Validate(const v1::CreateKeyRequest& request);
absl::Status Validate(const v1::GetKeyRequest& request);
absl::Status Validate(const v1::ListKeysRequest& request, paging::Page& page);
absl::Status Validate(const v1::RevokeKeyRequest& request);
absl::Status Validate(const v1::ListAuditEntriesRequest& request, paging::Page& page);
absl::Status Validate(const v1::RecordAuditEntriesRequest& request);

}  // namespace peiling::access
