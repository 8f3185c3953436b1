// What a request about progress must look like, before anything is done with it. Each function is OK or INVALID_ARGUMENT/INVALID_REQUEST
// with a violation for every wrong field. Lists also read their page.
#pragma once

#include "absl/status/status.h"
#include "peiling/fieldwork/v1/progress.pb.h"
#include "services/common/paging/paging.h"

namespace peiling::fieldwork {

absl::Status Validate(const v1::GetFieldworkProgressRequest& request);
absl::Status Validate(const v1::ListMunicipalityProgressRequest& request, paging::Page& page);
absl::Status Validate(const v1::ListCallsRequest& request, paging::Page& page);

}  // namespace peiling::fieldwork
