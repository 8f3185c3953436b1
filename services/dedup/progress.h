// How far a follower is.
#pragma once

#include <mutex>
#include <string>

#include "absl/status/status.h"

namespace peiling::dedup {

// Thread-safe.
class Progress {
 public:
  // Once caught up, it stays so: what is there can be answered from.
  void CaughtUp() {
    std::lock_guard lock(mutex_);
    caught_up_ = true;
    problem_.clear();
  }
  void Failed(const absl::Status& status) {
    std::lock_guard lock(mutex_);
    problem_ = std::string(status.message());
  }

  // "" when it has caught up; else that it has not, and the last thing that went wrong.
  std::string NotReadyReason(const std::string& what) const {
    std::lock_guard lock(mutex_);
    return caught_up_ ? "" : "not caught up with " + what + (problem_.empty() ? "" : ": ") + problem_;
  }

 private:
  mutable std::mutex mutex_;
  bool caught_up_ = false;
  std::string problem_;
};

}  // namespace peiling::dedup
