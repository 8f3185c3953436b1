// Checks the fields of requests.
#pragma once

#include "absl/status/status.h"
#include "peiling/validation/v1/validation.pb.h"

namespace peiling::validation {

inline constexpr int kMaxResponses = 1000;

// `named`: an earlier request of the same stream has named the questionnaire.
absl::Status Validate(const v1::ValidateResponsesRequest& request, bool named);
absl::Status Validate(const v1::CheckQuestionnaireRequest& request);

}  // namespace peiling::validation
