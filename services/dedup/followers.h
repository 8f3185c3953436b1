// The partitions of all waves this replica takes in: those that are for it among the replicas alive.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "peiling/intake/v1/intake.pb.h"
#include "services/dedup/upstream.h"
#include "services/dedup/wave_follower.h"
#include "services/dedup/waves.h"

namespace peiling::dedup {

// Starts and stops WaveFollowers on a thread of its own as waves and members come and go; whoever tells of them does not wait. Thread-safe.
class Followers {
 public:
  // `upstream` and `waves` must outlive it. `replica` is this replica's name among the members.
  Followers(Upstream& upstream, Waves& waves, std::string replica);
  ~Followers();  // Stops.
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  void Start();
  // Ends all followers. May be called twice.
  void Stop();

  // A wave, or a known one as it is from now on.
  void SetWave(const intake::v1::Wave& wave);
  // Who is alive; empty: not known, and nothing is for this replica. Nothing is followed before the first call.
  void SetMembers(std::set<std::string> members);

  // Which partition of its own has not caught up, and why; "" when all have, or when it has none.
  std::string not_ready_reason() const;

 private:
  // Wave and partition.
  using Key = std::pair<std::string, int>;
  using Gone = std::vector<std::unique_ptr<WaveFollower>>;

  void Run();
  // Brings followers_ in line with waves_ and members_; returns those that are to be stopped.
  Gone TakeGone();
  void StartMissing();
  bool Mine(const Key& key) const;
  bool Follows(const Key& key) const;
  // The partitions that are for this replica, with their waves.
  std::map<Key, const intake::v1::Wave*> Wanted() const;
  // Why a partition came to this replica or left it, for the log.
  std::string ReasonFor(const Key& key) const;

  Upstream& upstream_;
  Waves& ledgers_;
  const std::string replica_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool changed_ = false;
  bool stopping_ = false;
  bool members_known_ = false;
  std::set<std::string> members_;
  // As they were when followers were last brought in line.
  std::set<std::string> members_before_;
  std::map<std::string, intake::v1::Wave> waves_;  // By name; their essence.
  std::map<Key, std::unique_ptr<WaveFollower>> followers_;
  std::thread thread_;
};

}  // namespace peiling::dedup
