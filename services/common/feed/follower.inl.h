#pragma once

#include <utility>

#include "services/common/status/errors.h"

namespace peiling::feed {

template <typename Response>
Retrier::Session WatchSession(std::function<std::unique_ptr<grpc::ClientReaderInterface<Response>>(grpc::ClientContext*)> open,
                              std::function<absl::Status(const Response&)> apply) {
  return [open = std::move(open), apply = std::move(apply)](grpc::ClientContext& context, const std::function<void()>& healthy) {
    auto reader = open(&context);
    absl::Status applied;
    Response response;
    while (applied.ok() && reader->Read(&response)) {
      applied = apply(response);
      if (applied.ok()) healthy();
    }
    if (!applied.ok()) context.TryCancel();
    const grpc::Status finished = reader->Finish();
    return applied.ok() ? status::FromGrpc(finished) : applied;
  };
}

}  // namespace peiling::feed
