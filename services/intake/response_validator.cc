#include "services/intake/response_validator.h"

#include <algorithm>

#include "services/common/status/errors.h"

namespace peiling::intake {
namespace {

using ::peiling::validation::v1::Issue;
using ::peiling::validation::v1::ValidateResponsesRequest;
using ::peiling::validation::v1::ValidateResponsesResponse;

}  // namespace

absl::StatusOr<ValidateResponsesResponse> ResponseValidator::Validate(const WaveQuestions& wave, const MakeContext& make_context,
                                                                      ValidateResponsesRequest& request) {
  request.set_questionnaire_fingerprint(wave.questionnaire->fingerprint());
  request.set_frame_date(wave.frame_date);
  ValidateResponsesResponse response;
  absl::Status status = status::FromGrpc(stub_.ValidateResponses(make_context().get(), request, &response));
  if (status::Reason(status) == "QUESTIONNAIRE_UNKNOWN") {
    *request.mutable_questionnaire() = wave.questionnaire->proto();
    status = status::FromGrpc(stub_.ValidateResponses(make_context().get(), request, &response));
  }
  if (!status.ok()) return status;
  if (response.results_size() != request.responses_size()) {
    return status::Error(absl::StatusCode::kInternal, "VALIDATION_INCOMPLETE", "validation did not judge every response");
  }
  return response;
}

bool HasError(const google::protobuf::RepeatedPtrField<Issue>& issues) {
  return std::any_of(issues.begin(), issues.end(), [](const Issue& issue) { return issue.severity() == validation::v1::SEVERITY_ERROR; });
}

absl::Status ResponseInvalid(const google::protobuf::RepeatedPtrField<Issue>& issues) {
  status::BadRequest bad;
  for (const Issue& issue : issues) {
    if (issue.severity() == validation::v1::SEVERITY_ERROR) bad.Add(issue.question(), issue.message());
  }
  return bad.ToStatus("RESPONSE_INVALID");
}

}  // namespace peiling::intake
