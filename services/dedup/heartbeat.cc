#include "services/dedup/heartbeat.h"

#include <utility>

#include "services/common/log/log.h"

namespace peiling::dedup {

Heartbeat::Heartbeat(Membership& membership, std::function<void(std::set<std::string>)> tell)
    : membership_(membership), tell_(std::move(tell)) {}

Heartbeat::~Heartbeat() { Stop(); }

void Heartbeat::Start() { thread_ = std::thread(&Heartbeat::Run, this); }

void Heartbeat::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  if (absl::Status left = membership_.Leave(); !left.ok()) {
    log::Warning("could not take leave; others will find out by themselves", {{"error", left.ToString()}});
  }
}

void Heartbeat::Run() {
  bool well = true;
  while (true) {
    const absl::Status beaten = membership_.Beat();
    if (well != beaten.ok()) {
      log::Warning(beaten.ok() ? "beating again" : "could not beat; other replicas may take over", {{"error", beaten.ToString()}});
      well = beaten.ok();
    }
    tell_(membership_.alive());
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, Membership::kBeat, [this] { return stopping_; })) return;
  }
}

}  // namespace peiling::dedup
