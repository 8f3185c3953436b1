// One wave, kept up to date from its record feed while it is read.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/survey/v1/feed.pb.h"
#include "services/analytics/fieldwork.h"
#include "services/analytics/snapshot.h"
#include "services/analytics/wave_definition.h"
#include "services/analytics/wave_index.h"

namespace peiling::analytics {

// Thread-safe. Many read at once; an event is made ready beside them and keeps them waiting only while its bits are set.
class LiveWave {
 public:
  LiveWave(std::shared_ptr<const WaveDefinition> definition, absl::TimeZone zone);

  // The wave as of one event. As long as it is held the wave does not change: read, and let go. Never hold two.
  class View {
   public:
    const WaveDefinition& definition() const { return *wave_.definition_; }
    const std::shared_ptr<const WaveDefinition>& shared_definition() const { return wave_.definition_; }
    const WaveIndex& index() const { return wave_.index_; }
    const Fieldwork& fieldwork() const { return wave_.fieldwork_; }
    const survey::v1::FeedPosition& position() const { return wave_.position_; }

   private:
    friend class LiveWave;
    explicit View(const LiveWave& wave);
    std::shared_lock<std::shared_mutex> lock_;
    const LiveWave& wave_;
  };
  View Read() const { return View(*this); }
  // Whether all that stood in the feed is in.
  bool caught_up() const { return caught_up_; }
  // Changes with every change.
  uint64_t version() const { return version_; }

  // Takes in an event; one it has already changes nothing. False when the feed is not the one it took in until now: where the last event
  // it has stood, there stands another.
  bool Apply(dedup::v1::RecordEvent event);
  void SetCaughtUp();
  // What a snapshot must be of to fit a wave: its header but for what is counted.
  static snapshot::Header Wanted(const WaveDefinition& definition);
  // What is counted, without the parts it is saved as.
  snapshot::Header Header() const;
  // All of it. Events wait meanwhile, readers do not.
  Snapshot Save() const;
  // A wave that goes on from a snapshot. FAILED_PRECONDITION/SNAPSHOT_DOES_NOT_FIT; DATA_LOSS/SNAPSHOT_DAMAGED.
  static absl::StatusOr<std::shared_ptr<LiveWave>> Restore(std::shared_ptr<const WaveDefinition> definition, absl::TimeZone zone,
                                                           const Snapshot& snapshot);

  // Another title, notice or report; questionnaire and frame must be the ones it was made with.
  void Redefine(std::shared_ptr<const WaveDefinition> definition);

 private:
  std::unique_lock<std::shared_mutex> LockForWriting();
  std::string Fingerprint() const;
  snapshot::Header HeaderLocked() const;

  // Held by whoever changes the wave, from before it is locked for writing: who holds it may read without a lock.
  mutable std::mutex writer_;
  // Whoever waits to write holds it, and whoever comes to read passes it: readers who keep coming cannot keep an event out for ever.
  mutable std::mutex turnstile_;
  mutable std::shared_mutex mutex_;
  std::shared_ptr<const WaveDefinition> definition_;
  WaveIndex index_;
  Fieldwork fieldwork_;
  survey::v1::FeedPosition position_;
  // The last event taken in, or what stands for it when that was before a snapshot. Under `writer_`.
  dedup::v1::RecordEvent last_event_;
  std::string saved_fingerprint_;
  // Read without the lock, so that asking for them never waits for a table.
  std::atomic<bool> caught_up_ = false;
  std::atomic<uint64_t> version_ = 0;
};

}  // namespace peiling::analytics
