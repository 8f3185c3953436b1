// What a handler comes to: the answer of the domain, or why there is none.
#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "grpcpp/support/status.h"
#include "services/common/status/errors.h"

namespace peiling::status {

// Moves the answer to `response`, unless it is an error.
template <typename Response>
grpc::Status Reply(absl::StatusOr<Response> answer, Response* response) {
  if (!answer.ok()) return ToGrpc(answer.status());
  *response = *std::move(answer);
  return grpc::Status::OK;
}

}  // namespace peiling::status
