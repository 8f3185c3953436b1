// A lock for each of any number of keys; those nobody holds or waits for take no room.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace peiling::intake {

// Thread-safe.
class KeyedLocks {
 public:
  // Holds the lock of one key for as long as it lives.
  class Guard {
   public:
    Guard(KeyedLocks& locks, std::string key) : locks_(locks), key_(std::move(key)) {
      {
        const std::lock_guard lock(locks_.mutex_);
        Entry& entry = locks_.entries_[key_];
        if (entry.mutex == nullptr) entry.mutex = std::make_unique<std::mutex>();
        ++entry.users;
        held_ = entry.mutex.get();
      }
      held_->lock();
    }
    ~Guard() {
      held_->unlock();
      const std::lock_guard lock(locks_.mutex_);
      const auto found = locks_.entries_.find(key_);
      if (--found->second.users == 0) locks_.entries_.erase(found);
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    KeyedLocks& locks_;
    const std::string key_;
    std::mutex* held_;
  };

 private:
  struct Entry {
    std::unique_ptr<std::mutex> mutex;
    int users = 0;
  };

  std::mutex mutex_;
  absl::flat_hash_map<std::string, Entry> entries_;
};

}  // namespace peiling::intake
