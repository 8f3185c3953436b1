// Turns: a lock for each of any number of keys, with a bounded queue; keys that nobody holds or waits for take no room.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace peiling::intake {

// Thread-safe.
class KeyedLocks {
  struct Entry {
    bool held = false;
    int waiting = 0;
    std::condition_variable freed;
  };
  using Entries = std::map<std::string, Entry>;

 public:
  using Deadline = std::chrono::steady_clock::time_point;
  // Who waits holds a thread: so many may for one key, and not longer than this.
  static constexpr int kMostWaiting = 8;
  static constexpr std::chrono::seconds kLongestWait{10};

  // Holds the lock of one key for as long as it lives.
  class Guard {
   public:
    Guard(Guard&& other) noexcept : locks_(std::exchange(other.locks_, nullptr)), entry_(other.entry_) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (locks_ != nullptr) locks_->Release(entry_);
    }

   private:
    friend class KeyedLocks;
    Guard(KeyedLocks* locks, Entries::iterator entry) : locks_(locks), entry_(entry) {}

    KeyedLocks* locks_;
    Entries::iterator entry_;
  };

  // Waits for the lock of a key. RESOURCE_EXHAUSTED/DRAFT_BUSY when too many wait for it already; DEADLINE_EXCEEDED/DRAFT_BUSY when it did
  // not come in time.
  absl::StatusOr<Guard> Acquire(const std::string& key, Deadline deadline = Deadline::max());

 private:
  void Release(Entries::iterator entry);

  std::mutex mutex_;
  Entries entries_;
};

}  // namespace peiling::intake
