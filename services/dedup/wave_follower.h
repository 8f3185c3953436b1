// Following the submission feed of one partition of a wave.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/feed/follower.h"
#include "services/dedup/progress.h"
#include "services/dedup/upstream.h"
#include "services/dedup/waves.h"

namespace peiling::dedup {

// What of a wave concerns dedup (see WaveSource); a new title is no reason to begin again.
intake::v1::Wave Essence(const intake::v1::Wave& wave);

// Takes one partition's submissions into the wave's ledger, on a thread of its own, from where the ledger stands.
//
// An event that cannot be taken in, or that intake cannot read, is tried again a few times and then set aside: one bad event must not hold
// up all that come after it. When following begins anew those set aside are tried again. Errors that pass, or that are not an event's
// fault, set nothing aside.
class WaveFollower {
 public:
  // `upstream` and `waves` must outlive it.
  WaveFollower(Upstream& upstream, Waves& waves, const intake::v1::Wave& wave, int partition);

  // Its essence.
  const intake::v1::Wave& wave() const { return wave_; }
  int partition() const { return partition_; }
  const Progress& progress() const { return progress_; }
  void Start() { retrier_.Start(); }
  // May be called twice.
  void Stop();

 private:
  absl::Status Follow(grpc::ClientContext& context, const std::function<void()>& healthy);
  // Until it breaks off.
  absl::Status Watch(WaveLedger& ledger, uint64_t after, grpc::ClientContext& context, const std::function<void()>& healthy);
  absl::Status TakeIn(WaveLedger& ledger, absl::Span<const intake::v1::SubmissionEvent> events);
  // Sets the event aside when it has failed often enough; returns `why` until then.
  absl::Status Suspect(WaveLedger& ledger, const intake::v1::SubmissionEvent& event, const absl::Status& why);
  // Tries those set aside again.
  absl::Status TakeInLate(WaveLedger& ledger);
  absl::StatusOr<intake::v1::SubmissionEvent> Fetch(uint64_t sequence);
  // As metrics.
  void TellPosition(uint64_t sequence) const;
  void CountSetAside(WaveLedger& ledger);
  intake::v1::WatchSubmissionsRequest RequestAfter(uint64_t sequence) const;

  Upstream& upstream_;
  Waves& waves_;
  const intake::v1::Wave wave_;
  const int partition_;
  const Resolve resolve_;
  Progress progress_;
  // The event that failed last, and how often. Used by the retrier's thread alone.
  uint64_t suspect_ = 0;
  int suspicions_ = 0;
  feed::Retrier retrier_;
};

}  // namespace peiling::dedup
