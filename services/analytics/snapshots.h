// Saves the waves from time to time, and has them at hand for the next start.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/analytics/live_waves.h"
#include "services/analytics/snapshot_store.h"
#include "services/common/storage/store.h"

namespace peiling::analytics {

// Nothing here ever keeps a wave from being counted: what fails is logged and measured, and tried again at the next time. Thread-safe.
class Snapshots {
 public:
  // Opens the store; asked again each time one is wanted, until there is one.
  using OpenStore = std::function<absl::StatusOr<std::shared_ptr<storage::Store>>()>;

  // Of the replicas that share a store one saves: whoever finds that another has done so since it looked last leaves it at that. Between
  // two times lies `between`, or twenty times as long as the last one took. INVALID_ARGUMENT or FAILED_PRECONDITION when there never will
  // be a store.
  static absl::StatusOr<std::unique_ptr<Snapshots>> Make(OpenStore open, std::shared_ptr<LiveWaves> waves,
                                                         std::chrono::milliseconds between);
  ~Snapshots();  // Stops.

  void Start();
  // Saves once more what has changed, for at most ten seconds and what the store takes to answer. The waves must not change any more.
  void Stop();

  // The wave as it was last saved; null when there is no snapshot that fits.
  std::shared_ptr<LiveWave> Load(std::shared_ptr<const WaveDefinition> definition, absl::TimeZone zone);

 private:
  Snapshots(OpenStore open, std::shared_ptr<LiveWaves> waves, std::chrono::milliseconds between);

  // OK when there is one, be it now.
  absl::Status Open();
  void Run();
  void SaveAll();
  absl::Status Save(const std::string& name, const LiveWave& wave);
  // Takes note of the claim; whether it is the one this process knew, if it knew any.
  bool IsKnown(const std::string& wave, uint64_t claim);
  // Null when there is no snapshot.
  absl::StatusOr<std::shared_ptr<LiveWave>> Read(std::shared_ptr<const WaveDefinition> definition, absl::TimeZone zone);
  bool MayGoOn();

  const OpenStore open_;
  const std::shared_ptr<LiveWaves> waves_;
  const std::chrono::milliseconds between_;

  std::mutex opening_;
  // Set once.
  std::shared_ptr<storage::Store> store_;
  std::unique_ptr<SnapshotStore> snapshots_;

  std::mutex mutex_;
  std::condition_variable wake_;
  // By wave: the claim as it was when this process looked last, or made by it.
  std::map<std::string, uint64_t> claims_;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point give_up_ = std::chrono::steady_clock::time_point::max();
  std::thread thread_;
};

}  // namespace peiling::analytics
