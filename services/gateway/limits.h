// How much may be under way, and how fast it may come in: of one caller, to one backend, of all.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

struct CallLimits {
  // Calls under way at once.
  int max_calls = 1024;
  // Of those, to one process (all backends of one title), so that one that hangs leaves room for the others.
  int max_calls_per_backend = 512;
  // Of those, of one caller, so that one leaves room for others.
  int max_calls_per_caller = 256;
  // Of those, by one invitation: one person's, who saves one answer after another.
  int max_calls_per_invitation = 16;
  // Of those of one caller, streams.
  int max_streams_per_caller = 64;
  // Of one caller, in the long run, and how many more at once after a pause (a token bucket).
  double calls_per_second = 2000;
  double burst = 4000;
};

// Callers are told apart by who they are, not by their address: a town hall has one. Those who need not say who they are, by their network.
// Thread-safe. What nobody has used for as long as its bucket takes to fill is forgotten, so memory is that of the callers of the last
// while.
class Limits {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Limits(const CallLimits& limits) : limits_(limits) {}

 private:
  struct Caller {
    double tokens = 0;
    Clock::time_point filled;
    int calls = 0;
    int streams = 0;
  };

 public:
  // One call's; given back at the end, before the limits are destroyed.
  class Place {
   public:
    Place(Place&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)), caller_(other.caller_), backend_(other.backend_), stream_(other.stream_) {}
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    friend class Limits;
    Place(Limits* limits, Caller* caller, const Backend* backend, bool stream)
        : limits_(limits), caller_(caller), backend_(backend), stream_(stream) {}

    Limits* limits_;
    Caller* caller_;
    const Backend* backend_;
    bool stream_;
  };

  // What of a call counts.
  struct Call {
    // Of the caller, or its network. Empty: callers that cannot be told apart, so that only what is for all holds.
    std::string subject;
    const Backend& backend;
    bool stream = false;
    // By an invitation.
    bool invitation = false;
  };

  // RESOURCE_EXHAUSTED with RetryInfo: TOO_MANY_CALLS, TOO_MANY_STREAMS, RATE_LIMITED of this caller; GATEWAY_BUSY, BACKEND_BUSY (metadata:
  // service) of all.
  absl::StatusOr<Place> Take(const Call& call, Clock::time_point now = Clock::now());

  // Calls under way.
  int calls() const;
  // Callers remembered.
  size_t callers() const;

 private:
  absl::Status CheckCaller(const Caller& caller, const Call& call) const;
  absl::Status CheckAll(const Backend& backend) const;
  Caller* Filled(const std::string& subject, Clock::time_point now);
  void ForgetIdle(Clock::time_point now);

  const CallLimits limits_;
  mutable std::mutex mutex_;
  int calls_ = 0;
  // By title.
  std::map<std::string, int> by_backend_;
  std::unordered_map<std::string, Caller> callers_;
  Clock::time_point swept_ = Clock::now();
};

}  // namespace peiling::gateway
