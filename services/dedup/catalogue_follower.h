// Following intake's catalogue of waves.
#pragma once

#include <string>

#include "services/common/feed/follower.h"
#include "services/dedup/followers.h"
#include "services/dedup/progress.h"
#include "services/dedup/upstream.h"

namespace peiling::dedup {

// Tells `followers` of every wave intake has. Thread-safe.
class CatalogueFollower {
 public:
  // Both must outlive it.
  CatalogueFollower(Upstream& upstream, Followers& followers);

  void Start() { retrier_.Start(); }
  // May be called twice.
  void Stop() { retrier_.Stop(); }

  // "" once it has told of all waves there are.
  std::string not_ready_reason() const { return progress_.NotReadyReason("intake's waves"); }

 private:
  absl::Status Follow(grpc::ClientContext& context, const std::function<void()>& healthy);

  Upstream& upstream_;
  Followers& followers_;
  Progress progress_;
  feed::Retrier retrier_;
};

}  // namespace peiling::dedup
