#include "services/common/repeater/repeater.h"

namespace peiling {

void Repeater::Start() { thread_ = std::thread(&Repeater::Loop, this); }

void Repeater::Loop() {
  for (std::unique_lock lock(mutex_); !stopping_; wake_.wait_for(lock, pause_, [this] { return stopping_; })) {
    lock.unlock();
    run_();
    lock.lock();
  }
}

void Repeater::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace peiling
