#include <algorithm>
#include <random>
#include <utility>

#include "services/common/feed/follower.h"
#include "services/common/log/log.h"

namespace peiling::feed {
namespace {

constexpr std::chrono::milliseconds kLeastBackoff(100);
constexpr std::chrono::milliseconds kMostBackoff(5000);

// Between half of it and the whole, so that those who broke off together do not come back together.
std::chrono::milliseconds Jittered(std::chrono::milliseconds backoff) {
  thread_local std::minstd_rand random(std::random_device{}());
  return std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(backoff.count() / 2, backoff.count())(random));
}

}  // namespace

Retrier::Retrier(std::string name, Session session) : name_(std::move(name)), session_(std::move(session)) {}

Retrier::~Retrier() { Stop(); }

void Retrier::Start() { thread_ = std::thread(&Retrier::Run, this); }

void Retrier::Stop() {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Retrier::Run() {
  std::chrono::milliseconds backoff = kLeastBackoff;
  while (true) {
    bool healthy = false;
    const absl::Status status = RunSession(healthy);
    if (healthy) backoff = kLeastBackoff;
    const std::chrono::milliseconds pause = Jittered(backoff);
    backoff = std::min(backoff * 2, kMostBackoff);

    std::unique_lock lock(mutex_);
    if (stopping_) return;
    log::Warning("following broke off", {{"feed", name_}, {"error", status.ToString()}, {"retry_ms", std::to_string(pause.count())}});
    if (wake_.wait_for(lock, pause, [this] { return stopping_; })) return;
  }
}

absl::Status Retrier::RunSession(bool& healthy) {
  grpc::ClientContext context;
  {
    std::lock_guard guard(mutex_);
    if (stopping_) return absl::CancelledError();
    context_ = &context;
  }
  absl::Status status = session_(context, [&healthy] { healthy = true; });
  std::lock_guard guard(mutex_);
  context_ = nullptr;
  return status;
}

}  // namespace peiling::feed
