// Keeps the wave book up to date: follows intake's catalogue, and for each wave intake's submission feeds and dedup's record feed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/common/feed/follower.h"
#include "services/fieldwork/waves/live_book.h"

namespace peiling::fieldwork {

// The services the book is built from.
struct Sources {
  std::shared_ptr<intake::v1::IntakeService::StubInterface> intake;
  std::shared_ptr<dedup::v1::DedupService::StubInterface> dedup;
  std::shared_ptr<registry::v1::RegistryService::StubInterface> registry;
};

// A thread for the catalogue and for each feed of each wave. What fails is tried again for ever, from where it was.
class WaveFollowers {
 public:
  // `book` must outlive it.
  WaveFollowers(Sources sources, LiveBook& book);
  ~WaveFollowers();  // Stops.

  void Start();
  // May be called twice.
  void Stop();

 private:
  class Follower;

  absl::Status FollowCatalogue(grpc::ClientContext& context, const std::function<void()>& healthy);
  void Follow(const intake::v1::Wave& wave);

  const Sources sources_;
  LiveBook& book_;
  // Touched by the catalogue's thread alone, and by Stop after that thread has ended.
  std::map<std::string, std::unique_ptr<Follower>> followers_;
  feed::Retrier catalogue_;
};

}  // namespace peiling::fieldwork
