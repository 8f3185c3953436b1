#include "services/validation/validator.h"

#include <utility>
#include <vector>

#include "services/common/log/log.h"
#include "services/common/status/errors.h"
#include "services/common/survey/check_questionnaire.h"

namespace peiling::validation {
namespace {

// Asking gRPC whether a call was cancelled takes longer than judging a response, so it is asked once for so many.
constexpr int kResponsesPerLook = 64;

}  // namespace

Validator::Validator(size_t max_plans, registry::v1::RegistryService::StubInterface* registry)
    : plans_(max_plans), inhabitants_(registry == nullptr ? nullptr : std::make_unique<Inhabitants>(*registry)) {}

absl::StatusOr<std::shared_ptr<const ValidationPlan>> Validator::FindPlan(const v1::ValidateResponsesRequest& request) {
  const std::string& named = request.questionnaire_fingerprint();
  const std::string fingerprint = request.has_questionnaire() ? survey::Fingerprint(request.questionnaire()) : named;
  if (!named.empty() && named != fingerprint) {
    status::BadRequest bad;
    bad.Add("questionnaire_fingerprint", "not that of the questionnaire in the request, " + fingerprint);
    return bad.ToStatus();
  }
  if (auto known = plans_.Find(fingerprint)) return known;
  if (!request.has_questionnaire()) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "QUESTIONNAIRE_UNKNOWN",
                         "repeat the request with the questionnaire itself");
  }
  auto plan = ValidationPlan::Compile(request.questionnaire());
  if (plan.ok()) plans_.Add(*plan);
  return plan;
}

absl::Status Validator::Judge(const ValidationPlan& plan, const v1::ValidateResponsesRequest& request, const Call& call,
                              v1::ValidateResponsesResponse& response) {
  std::vector<std::optional<int64_t>> inhabitants(request.responses_size());
  if (!request.frame_date().empty() && plan.StatesSizeClass()) {
    std::vector<const std::string*> municipalities;
    for (const v1::ResponseInput& input : request.responses()) municipalities.push_back(plan.MunicipalityToCheck(input.answers()));
    auto found = inhabitants_ == nullptr ? absl::UnavailableError("there is no registry")
                                         : inhabitants_->Find(municipalities, request.frame_date(), call.make_context);
    if (found.ok()) {
      inhabitants = *std::move(found);
      if (unchecked_.exchange(false)) log::Info("stated size classes are checked again");
    } else {
      // Once, not for every call while it lasts; each answer says so itself.
      if (!unchecked_.exchange(true)) {
        log::Warning("stated size classes are not checked", {{"reason", std::string(found.status().message())}});
      }
      response.set_size_class_unchecked(true);
    }
  }
  ValidationPlan::Scratch scratch;
  for (int i = 0; i < request.responses_size(); ++i) {
    if (i % kResponsesPerLook == 0 && call.cancelled())
      return status::Error(absl::StatusCode::kCancelled, "CALL_CANCELLED", "the caller no longer waits");
    plan.Judge(request.responses(i), inhabitants[i], scratch, *response.add_results());
  }
  return absl::OkStatus();
}

v1::CheckQuestionnaireResponse CheckQuestionnaire(const survey::v1::Questionnaire& questionnaire) {
  v1::CheckQuestionnaireResponse response;
  for (survey::Finding& found : survey::CheckQuestionnaire(questionnaire)) {
    v1::QuestionnaireFinding& finding = *response.add_findings();
    finding.set_field(std::move(found.field));
    finding.set_question(std::move(found.question));
    finding.set_severity(found.error ? v1::SEVERITY_ERROR : v1::SEVERITY_WARNING);
    finding.set_message(std::move(found.message));
  }
  response.set_fingerprint(survey::Fingerprint(questionnaire));
  return response;
}

}  // namespace peiling::validation
