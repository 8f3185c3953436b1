// Keeps the waves up to date: follows intake's list of waves, and for each wave dedup's record feed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/analytics/live_waves.h"
#include "services/analytics/snapshots.h"
#include "services/common/feed/follower.h"

namespace peiling::analytics {

// The services analytics is built from.
struct Sources {
  std::shared_ptr<intake::v1::IntakeService::StubInterface> intake;
  std::shared_ptr<dedup::v1::DedupService::StubInterface> dedup;
  std::shared_ptr<registry::v1::RegistryService::StubInterface> registry;
};

// One thread for the list and one for each wave. What fails is tried again for ever, from where it was.
class WaveFollowers {
 public:
  // Days of the fieldwork begin and end in `zone`. `snapshots`, which outlive this, are what a wave goes on from; null: none.
  WaveFollowers(Sources sources, std::shared_ptr<LiveWaves> waves, absl::TimeZone zone, Snapshots* snapshots);
  ~WaveFollowers();  // Stops.

  void Start();
  void Stop();

 private:
  class Follower;

  absl::Status FollowList(grpc::ClientContext& context, const std::function<void()>& healthy);
  absl::Status TakeIn(const std::vector<intake::v1::WatchWavesResponse>& events);
  void Follow(const intake::v1::Wave& wave);

  const Sources sources_;
  const std::shared_ptr<LiveWaves> waves_;
  const absl::TimeZone zone_;
  Snapshots* const snapshots_;
  // What follows is touched by the list's thread alone, and by Stop after that thread has ended.
  uint64_t sequence_ = 0;
  // Waves as last heard of, until the list is caught up: of many changes the last is enough.
  std::map<std::string, intake::v1::Wave> unfollowed_;
  bool listed_ = false;
  std::map<std::string, std::unique_ptr<Follower>> followers_;
  feed::Retrier list_;
};

}  // namespace peiling::analytics
