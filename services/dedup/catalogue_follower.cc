#include "services/dedup/catalogue_follower.h"

#include <map>
#include <string>
#include <vector>

namespace peiling::dedup {

CatalogueFollower::CatalogueFollower(Upstream& upstream, Followers& followers)
    : upstream_(upstream),
      followers_(followers),
      retrier_("waves", [this](grpc::ClientContext& context, const std::function<void()>& healthy) {
        absl::Status followed = Follow(context, healthy);
        progress_.Failed(followed);
        return followed;
      }) {}

absl::Status CatalogueFollower::Follow(grpc::ClientContext& context, const std::function<void()>& healthy) {
  using Message = intake::v1::WatchWavesResponse;
  // From the beginning each time: the catalogue is small, and a wave that is known already is passed over.
  const auto open = [this](grpc::ClientContext* watch) { return upstream_.intake().WatchWaves(watch, {}); };
  // Until it has caught up what comes is history: only how each wave is in the end matters.
  std::map<std::string, intake::v1::Wave> latest;
  bool caught_up = false;
  const auto apply = [&](std::vector<Message>& messages) {
    for (const Message& message : messages) {
      if (message.has_wave()) latest[message.wave().wave().name()] = message.wave().wave();
      caught_up |= message.has_caught_up();
    }
    if (!caught_up) return absl::OkStatus();
    for (const auto& [name, wave] : latest) followers_.SetWave(wave);
    latest.clear();
    progress_.CaughtUp();
    return absl::OkStatus();
  };
  return feed::WatchSession<Message>(open, apply)(context, healthy);
}

}  // namespace peiling::dedup
