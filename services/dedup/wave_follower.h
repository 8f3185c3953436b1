// Following intake: the catalogue of waves, and the submission feed of every wave in it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "peiling/intake/v1/intake.pb.h"
#include "services/common/feed/follower.h"
#include "services/dedup/upstream.h"
#include "services/dedup/waves.h"

namespace peiling::dedup {

// How far a follower is. Thread-safe.
class Progress {
 public:
  // Once caught up, it stays so: what is there can be answered from.
  void CaughtUp();
  void Failed(const absl::Status& status);
  bool caught_up() const;
  // The last thing that went wrong, "" when nothing did since it caught up.
  std::string problem() const;

 private:
  mutable std::mutex mutex_;
  bool caught_up_ = false;
  std::string problem_;
};

// Takes one wave's submissions into its ledger, on a thread of its own, from where the ledger stands.
class WaveFollower {
 public:
  // `upstream` and `waves` must outlive it. Of the wave, see WaveSource.
  WaveFollower(Upstream& upstream, Waves& waves, intake::v1::Wave wave);

  const intake::v1::Wave& wave() const { return wave_; }
  const Progress& progress() const { return progress_; }
  void Start() { retrier_.Start(); }
  void Stop() { retrier_.Stop(); }

 private:
  absl::Status Follow(grpc::ClientContext& context, const std::function<void()>& healthy);

  Upstream& upstream_;
  Waves& waves_;
  const intake::v1::Wave wave_;
  Progress progress_;
  feed::Retrier retrier_;
};

// Keeps one WaveFollower for each wave intake has. Thread-safe.
class CatalogueFollower {
 public:
  CatalogueFollower(Upstream& upstream, Waves& waves);
  ~CatalogueFollower();

  void Start() { retrier_.Start(); }
  // May be called twice.
  void Stop();

  // Whether it and all followers of waves have caught up; once true it stays so.
  bool ready() const;
  // Who has not, and why; "" when ready.
  std::string not_ready_reason() const;

 private:
  absl::Status Follow(grpc::ClientContext& context, const std::function<void()>& healthy);
  void OnWave(const intake::v1::Wave& wave);

  Upstream& upstream_;
  Waves& waves_;
  Progress progress_;
  mutable std::mutex mutex_;
  mutable bool ready_ = false;
  std::map<std::string, std::unique_ptr<WaveFollower>> followers_;
  feed::Retrier retrier_;
};

}  // namespace peiling::dedup
