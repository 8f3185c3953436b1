// Which replicas of dedup are alive, as far as this one can see, and which of them a partition of a wave is for.
//
// Every replica beats a document of its own in the store. Whether one is alive is judged by whether its document goes on changing, in the
// judge's own time: no two machines' clocks are compared. Nothing depends on all replicas seeing the same: two that take in the same
// partition for a moment only do the same work twice.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "services/common/storage/store.h"

namespace peiling::dedup {

// Thread-safe.
class Membership {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  // How often to beat; how long somebody may stay unchanged and yet count as alive; how long after that a document is removed; how long
  // what was last seen counts while the store is away.
  static constexpr std::chrono::seconds kBeat{1};
  static constexpr std::chrono::seconds kDeadAfter{5};
  static constexpr std::chrono::seconds kRemoveAfter{60};
  static constexpr std::chrono::seconds kForgetAfter{30};

  // The store must outlive it. `name` is this replica's and nobody else's; `clock` never goes back.
  Membership(storage::Store& store, std::string name, Clock clock);

  // Beats, and looks at the others. The store's errors.
  absl::Status Beat();
  // Takes this replica's document away, so that others need not wait for it. Not to be followed by Beat.
  absl::Status Leave();

  // Names of those alive, this replica among them. Empty as long as the store has not been seen, or not for kForgetAfter.
  std::set<std::string> alive() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Other {
    uint64_t version = 0;
    std::string life;
    // When it was first seen like this.
    Time since;
  };

  absl::Status WriteOwn();
  absl::Status LookAtOthers();
  absl::Status RemoveDead();

  storage::Store& store_;
  const std::string name_;
  // Tells this run of the program from earlier ones of the same name.
  const std::string life_;
  const Clock clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Other> others_;  // By name.
  Time last_seen_;
  bool seen_ = false;
  // Whether the last beat failed.
  bool away_ = false;
};

// Who of `members` takes in a partition (names::PartitionName): the one with the highest hash of both (rendezvous hashing, Thaler and
// Ravishankar 1998), so that a member that comes or goes moves no partition between others. "" when there are none.
std::string OwnerOf(const std::string& partition, const std::set<std::string>& members);

}  // namespace peiling::dedup
