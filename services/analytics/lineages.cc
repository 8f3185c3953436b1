#include "services/analytics/lineages.h"

#include <chrono>

#include "services/common/deadline/deadline.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

absl::StatusOr<std::shared_ptr<const registry::v1::TraceLineageResponse>> Lineages::Trace(const std::string& from, const std::string& to) {
  const auto days = std::make_pair(from, to);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = known_.find(days);
    if (found != known_.end()) return found->second;
  }
  registry::v1::TraceLineageRequest request;
  request.set_from(from);
  request.set_to(to);
  // A deadline of its own: others will use the answer, also when the one who asked first has left.
  grpc::ClientContext context;
  deadline::Set(context, std::chrono::seconds(5));
  auto response = std::make_shared<registry::v1::TraceLineageResponse>();
  const auto called = registry_->TraceLineage(&context, request, response.get());
  if (!called.ok()) return status::FromGrpc(called);
  const std::lock_guard<std::mutex> lock(mutex_);
  return known_.emplace(days, std::move(response)).first->second;
}

}  // namespace peiling::analytics
