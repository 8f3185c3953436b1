// What waits to be checked, in lanes that take turns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <list>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "services/gateway/identity/digest.h"

namespace peiling::gateway {

struct LaneLimits {
  // Secrets that wait or are being checked in one lane.
  size_t secrets_per_lane = 16;
  // Calls that wait in one lane; many may have shown the same secret.
  size_t calls_per_lane = 500;
  // Lanes in which something waits or is being checked, and those of one group.
  size_t lanes = 10'000;
  size_t lanes_per_group = 10'000;
};

struct LaneName {
  // Whose lane it is; may be empty.
  std::string group;
  std::string name;

  bool operator<(const LaneName& other) const { return std::tie(group, name) < std::tie(other.group, other.name); }
};

// Jobs, one for each secret, and the calls that wait for them. Whoever fills one lane makes the others wait for one job more, not for all
// of theirs. Not thread-safe.
template <typename Job, typename Done>
class Lanes {
 public:
  // A job that was begun.
  struct Turn {
    LaneName lane;
    Digest digest;
  };

  explicit Lanes(const LaneLimits& limits) : limits_(limits) {}

  // Has `done` wait for the job of the secret with this digest, which becomes `job` unless it is there already. False, and `done` is
  // untouched, when there is no room.
  bool Add(const LaneName& lane, const Digest& digest, Job job, Done& done) {
    auto in = lanes_.find(lane);
    if (in == lanes_.end()) {
      if (lanes_.size() >= limits_.lanes) return false;
      size_t& of_group = groups_[lane.group];
      if (of_group >= limits_.lanes_per_group) return false;
      ++of_group;
      in = lanes_.try_emplace(lane).first;
    }
    Lane& there = in->second;
    if (there.calls >= limits_.calls_per_lane) return false;
    auto waiting = there.jobs.find(digest);
    if (waiting == there.jobs.end()) {
      if (there.jobs.size() >= limits_.secrets_per_lane) return false;
      waiting = there.jobs.emplace(digest, Waiting{std::move(job), {}}).first;
      if (there.order.empty()) turns_.push_back(lane);
      there.order.push_back(digest);
    }
    waiting->second.calls.push_back(std::move(done));
    ++there.calls;
    return true;
  }

  // Whether no job waits to be begun.
  bool idle() const { return turns_.empty(); }

  // Begins the next job. Not to be called when idle.
  Turn Begin() {
    Turn turn{std::move(turns_.front()), {}};
    turns_.pop_front();
    Lane& in = lanes_.at(turn.lane);
    turn.digest = in.order.front();
    in.order.pop_front();
    if (!in.order.empty()) turns_.push_back(turn.lane);
    return turn;
  }

  // Stays where it is and as it is until the job ends.
  const Job& JobOf(const Turn& turn) const { return lanes_.at(turn.lane).jobs.at(turn.digest).job; }

  // Ends a job; the calls that waited for it.
  std::vector<Done> End(const Turn& turn) {
    const auto in = lanes_.find(turn.lane);
    const auto job = in->second.jobs.find(turn.digest);
    std::vector<Done> calls = std::move(job->second.calls);
    in->second.calls -= calls.size();
    in->second.jobs.erase(job);
    if (!in->second.jobs.empty()) return calls;
    lanes_.erase(in);
    const auto group = groups_.find(turn.lane.group);
    if (--group->second == 0) groups_.erase(group);
    return calls;
  }

  // Ends all jobs. None that was begun is to be ended after that.
  std::vector<Done> EndAll() {
    std::vector<Done> calls;
    for (auto& [name, lane] : lanes_) {
      for (auto& [digest, job] : lane.jobs) std::move(job.calls.begin(), job.calls.end(), std::back_inserter(calls));
    }
    lanes_.clear();
    groups_.clear();
    turns_.clear();
    return calls;
  }

 private:
  struct Waiting {
    Job job;
    std::vector<Done> calls;
  };
  // Jobs as long as they have not ended, and the order of those not begun.
  struct Lane {
    std::map<Digest, Waiting> jobs;
    std::deque<Digest> order;
    size_t calls = 0;
  };

  const LaneLimits limits_;
  std::map<LaneName, Lane> lanes_;
  // Lanes of each group that has some.
  std::map<std::string, size_t> groups_;
  // Lanes in which something waits to be begun, the next first.
  std::list<LaneName> turns_;
};

}  // namespace peiling::gateway
