// All waves analytics knows, and waiting for what is not counted yet.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/survey/v1/feed.pb.h"
#include "services/analytics/live_wave.h"

namespace peiling::analytics {

// Who asks: how long they wait, and whether they are still there.
struct Caller {
  std::chrono::system_clock::time_point deadline;
  std::function<bool()> cancelled;
};

// Thread-safe.
class LiveWaves {
 public:
  // --- For those who keep waves up to date.
  // There is such a wave; until it is placed it is being built.
  void Announce(const std::string& name);
  // Its index; replaces an earlier one.
  void Place(const std::string& name, std::shared_ptr<LiveWave> wave);
  // All waves there are have been announced.
  void SetListed();
  // To be called after any change to a wave: wakes those who wait for it.
  void Changed();
  // Wakes everybody; from now on waiting fails with UNAVAILABLE/SHUTTING_DOWN.
  void Shutdown();

  // --- For those who read. NOT_FOUND/WAVE_NOT_FOUND; UNAVAILABLE/INDEX_BUILDING until its feed is caught up.
  absl::StatusOr<std::shared_ptr<LiveWave>> Get(const std::string& name) const;
  // Those of a survey ("surveys/s"), by name. NOT_FOUND/WAVE_NOT_FOUND when it has none.
  absl::StatusOr<std::vector<std::shared_ptr<LiveWave>>> OfSurvey(const std::string& survey) const;
  // Whether nobody needs to wait for it: it counts up to `position`, or that is the start.
  bool IsCounted(const std::string& name, const survey::v1::FeedPosition& position) const;
  // The wave once it counts at least up to `position`; at the start the same as Get. A wave that is not known or not built yet is waited
  // for, too. DEADLINE_EXCEEDED/POSITION_NOT_REACHED (metadata: how far it is), CANCELLED, UNAVAILABLE/SHUTTING_DOWN. Nobody waits longer
  // than a minute.
  absl::StatusOr<std::shared_ptr<LiveWave>> Await(const std::string& name, const survey::v1::FeedPosition& position,
                                                  const Caller& caller) const;
  // Returns once the wave's version is another than `version`, or another index has taken its place.
  absl::Status AwaitChange(const std::string& name, const LiveWave& wave, uint64_t version, const Caller& caller) const;
  // Returns after a while.
  absl::Status Pause(std::chrono::milliseconds time, const Caller& caller) const;

  // Those that are caught up.
  std::vector<std::shared_ptr<LiveWave>> CaughtUp() const;
  // Empty when every wave is caught up; else what is not.
  std::string Unready() const;

 private:
  using Condition = std::function<bool()>;

  absl::StatusOr<std::shared_ptr<LiveWave>> GetLocked(const std::string& name) const;
  // OK once the condition holds; DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE/SHUTTING_DOWN.
  absl::Status WaitFor(std::unique_lock<std::mutex>& lock, const Condition& condition, const Caller& caller) const;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Null while it is being built for the first time.
  std::map<std::string, std::shared_ptr<LiveWave>> waves_;
  bool listed_ = false;
  bool shut_down_ = false;
};

}  // namespace peiling::analytics
