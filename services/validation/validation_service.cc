#include "services/validation/validation_service.h"

#include <algorithm>
#include <chrono>

#include "services/common/deadline/deadline.h"
#include "services/common/status/errors.h"
#include "services/validation/validate.h"

namespace peiling::validation {
namespace {

// A registry that hangs must not hold up the judgement for long: size classes are then left unchecked.
constexpr std::chrono::seconds kRegistryPatience{2};

Call CallOf(grpc::ServerContext& context) {
  return {.make_context =
              [&context] {
                auto client = grpc::ClientContext::FromServerContext(context);
                deadline::Set(*client, std::min(context.deadline(), std::chrono::system_clock::now() + kRegistryPatience));
                return client;
              },
          .cancelled = [&context] { return context.IsCancelled(); }};
}

}  // namespace

absl::Status ValidationService::Answer(grpc::ServerContext& context, const v1::ValidateResponsesRequest& request,
                                       std::shared_ptr<const ValidationPlan>& plan, v1::ValidateResponsesResponse& response) {
  if (absl::Status checked = Validate(request, plan != nullptr); !checked.ok()) return checked;
  if (request.has_questionnaire() || !request.questionnaire_fingerprint().empty()) {
    auto found = validator_.FindPlan(request);
    if (!found.ok()) return found.status();
    plan = *std::move(found);
  }
  return validator_.Judge(*plan, request, CallOf(context), response);
}

grpc::Status ValidationService::ValidateResponses(grpc::ServerContext* context, const v1::ValidateResponsesRequest* request,
                                                  v1::ValidateResponsesResponse* response) {
  std::shared_ptr<const ValidationPlan> plan;
  return status::ToGrpc(Answer(*context, *request, plan, *response));
}

grpc::Status ValidationService::StreamValidateResponses(
    grpc::ServerContext* context, grpc::ServerReaderWriter<v1::ValidateResponsesResponse, v1::ValidateResponsesRequest>* stream) {
  std::shared_ptr<const ValidationPlan> plan;
  v1::ValidateResponsesRequest request;
  while (stream->Read(&request)) {
    v1::ValidateResponsesResponse response;
    if (absl::Status answered = Answer(*context, request, plan, response); !answered.ok()) return status::ToGrpc(answered);
    if (!stream->Write(response)) break;
  }
  return grpc::Status::OK;
}

grpc::Status ValidationService::CheckQuestionnaire(grpc::ServerContext*, const v1::CheckQuestionnaireRequest* request,
                                                   v1::CheckQuestionnaireResponse* response) {
  if (absl::Status checked = Validate(*request); !checked.ok()) return status::ToGrpc(checked);
  *response = validation::CheckQuestionnaire(request->questionnaire());
  return grpc::Status::OK;
}

}  // namespace peiling::validation
