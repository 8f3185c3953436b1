// Asks validation to judge responses, and keeps to its protocol: a questionnaire is named by fingerprint and sent only when validation does
// not know it.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "grpcpp/client_context.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "services/intake/catalog.h"

namespace peiling::intake {

// Makes the context of one call, with the deadline and cancellation of whoever waits for it.
using MakeContext = std::function<std::unique_ptr<grpc::ClientContext>()>;

// Thread-safe.
class ResponseValidator {
 public:
  explicit ResponseValidator(validation::v1::ValidationService::StubInterface& stub) : stub_(stub) {}

  // Judges `request.responses`, at most 1,000, against the questions of a wave; fills in the rest of the request. One result for each
  // response, in their order. Validation's errors; INTERNAL/VALIDATION_INCOMPLETE when it does not answer for each.
  absl::StatusOr<validation::v1::ValidateResponsesResponse> Validate(const WaveQuestions& wave, const MakeContext& make_context,
                                                                     validation::v1::ValidateResponsesRequest& request);

 private:
  validation::v1::ValidationService::StubInterface& stub_;
};

// Whether a finding of severity error is among them.
bool HasError(const google::protobuf::RepeatedPtrField<validation::v1::Issue>& issues);
// Of findings with errors: INVALID_ARGUMENT/RESPONSE_INVALID, which names every question with one.
absl::Status ResponseInvalid(const google::protobuf::RepeatedPtrField<validation::v1::Issue>& issues);

}  // namespace peiling::intake
