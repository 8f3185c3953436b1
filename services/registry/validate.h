// What requests to the registry must be; every wrong field at once. INVALID_ARGUMENT/INVALID_REQUEST.
#pragma once

#include "absl/status/status.h"
#include "peiling/registry/v1/registry.pb.h"
#include "services/common/status/errors.h"

namespace peiling::registry {

absl::Status Validate(const v1::GetMunicipalityRequest& request);
// Adds to what reading the page fields (common/paging) found.
void Validate(const v1::ListMunicipalitiesRequest& request, status::BadRequest& bad);
absl::Status Validate(const v1::TraceLineageRequest& request);
absl::Status Validate(const v1::ResolveMunicipalityRequest& request);
absl::Status Validate(const v1::BatchResolveMunicipalitiesRequest& request);

}  // namespace peiling::registry
