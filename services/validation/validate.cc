#include "services/validation/validate.h"

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::validation {

absl::Status Validate(const v1::ValidateResponsesRequest& request, bool named) {
  status::BadRequest bad;
  if (!named && !request.has_questionnaire() && request.questionnaire_fingerprint().empty()) {
    bad.Add("questionnaire_fingerprint", "\"\", want it or questionnaire");
  }
  if (request.responses().empty() || request.responses_size() > kMaxResponses) {
    bad.Add("responses", absl::StrCat(request.responses_size(), " of them, want 1 to ", kMaxResponses));
  }
  if (!request.frame_date().empty() && !names::IsDate(request.frame_date())) {
    bad.Add("frame_date", absl::StrCat("\"", request.frame_date(), "\", want a day, YYYY-MM-DD"));
  }
  for (int i = 0; i < request.responses_size(); ++i) {
    const int last_section = request.responses(i).last_section();
    if (last_section < 0) bad.Add(absl::StrCat("responses[", i, "].last_section"), absl::StrCat(last_section, ", want 0 or more"));
  }
  return bad.ToStatus();
}

absl::Status Validate(const v1::CheckQuestionnaireRequest& request) {
  status::BadRequest bad;
  if (!request.has_questionnaire()) bad.Add("questionnaire", "want one");
  return bad.ToStatus();
}

}  // namespace peiling::validation
