#include "services/common/feed/watches.h"

#include <system_error>
#include <thread>

namespace peiling::feed {

Watches::~Watches() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return running_ == 0; });
}

absl::Status Watches::Run(std::function<void()> watch) {
  const std::lock_guard lock(mutex_);
  const auto too_many = [] {
    return status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_WATCHERS", "too many watches are open; try again later");
  };
  if (running_ >= most_) return too_many();
  try {
    std::thread([this, watch = std::move(watch)] {
      watch();
      const std::lock_guard lock(mutex_);
      --running_;
      ended_.notify_all();
    }).detach();
  } catch (const std::system_error&) {
    return too_many();
  }
  ++running_;
  return absl::OkStatus();
}

}  // namespace peiling::feed
