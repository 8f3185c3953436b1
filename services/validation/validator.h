// Judges batches of responses: finds the plan, asks the registry for size classes, goes through the responses.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/validation/v1/validation.pb.h"
#include "services/validation/inhabitants.h"
#include "services/validation/plan_cache.h"

namespace peiling::validation {

// What a call brings along.
struct Call {
  MakeContext make_context;
  // Whether nobody waits for the answer any more.
  std::function<bool()> cancelled;
};

// Thread-safe.
class Validator {
 public:
  // `registry` may be null: size classes are then never checked, and said to be unchecked.
  Validator(size_t max_plans, registry::v1::RegistryService::StubInterface* registry);

  // The plan of the questionnaire a request names. INVALID_ARGUMENT/QUESTIONNAIRE_INVALID, INVALID_ARGUMENT/INVALID_REQUEST when its
  // fingerprint is another's, FAILED_PRECONDITION/QUESTIONNAIRE_UNKNOWN.
  absl::StatusOr<std::shared_ptr<const ValidationPlan>> FindPlan(const v1::ValidateResponsesRequest& request);

  // The results of a request whose fields are in order. CANCELLED/CALL_CANCELLED.
  absl::Status Judge(const ValidationPlan& plan, const v1::ValidateResponsesRequest& request, const Call& call,
                     v1::ValidateResponsesResponse& response);

 private:
  PlanCache plans_;
  std::unique_ptr<Inhabitants> inhabitants_;
  // Whether the last call that asked the registry went without an answer.
  std::atomic<bool> unchecked_ = false;
};

// What CheckQuestionnaire answers.
v1::CheckQuestionnaireResponse CheckQuestionnaire(const survey::v1::Questionnaire& questionnaire);

}  // namespace peiling::validation
