// Applying YAML documents to the catalogue: all of them in one commit, or none.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/storage/store.h"

namespace peiling::intake {

// One try at Catalog::Apply. ABORTED/CONCURRENT_CHANGE when the catalogue changed meanwhile: nothing is done then, and it may be tried
// again.
absl::StatusOr<v1::ApplyDocumentsResponse> ApplyDocuments(storage::Store& store, const v1::ApplyDocumentsRequest& request,
                                                          const std::string& caller, absl::Time now);

}  // namespace peiling::intake
