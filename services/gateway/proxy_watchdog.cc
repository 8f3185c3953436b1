#include "services/gateway/proxy_watchdog.h"

#include <algorithm>
#include <vector>

namespace peiling::gateway {

void Watchdog::Watched::Await() {
  since_ = Clock::now();
  ++waits_;
}

void Watchdog::Watched::Arrived() {
  since_ = Clock::now();
  --waits_;
}

bool Watchdog::Watched::Overdue(Clock::time_point now) const { return waits_ > 0 && now - since_.load() > watchdog_.patience_; }

Watchdog::Watchdog(std::chrono::milliseconds patience) : patience_(patience), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::Add(Watched* watched) {
  const std::lock_guard lock(mutex_);
  watched_.insert(watched);
}

void Watchdog::Remove(Watched* watched) {
  const std::lock_guard lock(mutex_);
  watched_.erase(watched);
}

void Watchdog::Run() {
  const auto interval = std::min<std::chrono::milliseconds>(patience_, std::chrono::seconds(1));
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return stopping_; })) {
    std::vector<std::shared_ptr<Watched>> overdue;
    const Clock::time_point now = Clock::now();
    for (Watched* const watched : watched_) {
      if (!watched->Overdue(now)) continue;
      // Null while it is being destroyed.
      if (auto held = watched->weak_from_this().lock()) overdue.push_back(std::move(held));
    }
    lock.unlock();
    for (const auto& watched : overdue) watched->OnOverdue();
    overdue.clear();
    lock.lock();
  }
}

}  // namespace peiling::gateway
