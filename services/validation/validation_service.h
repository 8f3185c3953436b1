// The gRPC handlers of validation.
#pragma once

#include "grpcpp/grpcpp.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "services/validation/validator.h"

namespace peiling::validation {

class ValidationService final : public v1::ValidationService::Service {
 public:
  explicit ValidationService(Validator& validator) : validator_(validator) {}

  grpc::Status ValidateResponses(grpc::ServerContext* context, const v1::ValidateResponsesRequest* request,
                                 v1::ValidateResponsesResponse* response) override;
  grpc::Status StreamValidateResponses(
      grpc::ServerContext* context, grpc::ServerReaderWriter<v1::ValidateResponsesResponse, v1::ValidateResponsesRequest>* stream) override;
  grpc::Status CheckQuestionnaire(grpc::ServerContext* context, const v1::CheckQuestionnaireRequest* request,
                                  v1::CheckQuestionnaireResponse* response) override;

 private:
  // `plan` is the stream's so far, null when there is none, and becomes the request's.
  absl::Status Answer(grpc::ServerContext& context, const v1::ValidateResponsesRequest& request,
                      std::shared_ptr<const ValidationPlan>& plan, v1::ValidateResponsesResponse& response);

  Validator& validator_;
};

}  // namespace peiling::validation
