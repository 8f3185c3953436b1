// Beating for this replica, and telling who is alive.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "services/dedup/membership.h"

namespace peiling::dedup {

// Thread-safe.
class Heartbeat {
 public:
  // `tell` gets Membership::alive() after every beat, on this object's thread, also when the beat failed.
  Heartbeat(Membership& membership, std::function<void(std::set<std::string>)> tell);
  ~Heartbeat();  // Stops.
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  void Start();
  // Leaves, so that others take over at once. May be called twice.
  void Stop();

 private:
  void Run();

  Membership& membership_;
  const std::function<void(std::set<std::string>)> tell_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::dedup
