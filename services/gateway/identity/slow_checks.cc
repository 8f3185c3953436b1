#include "services/gateway/identity/slow_checks.h"

#include <utility>

namespace peiling::gateway {

SlowChecks::SlowChecks(const Limits& limits, Matches matches) : matches_(std::move(matches)), lanes_(limits.lanes) {
  for (int i = 0; i < limits.threads; ++i) threads_.emplace_back(&SlowChecks::Run, this);
}

SlowChecks::~SlowChecks() { Stop(); }

void SlowChecks::Check(const std::string& lane, const Digest& digest, std::string_view secret, const access::v1::SecretHash& hash,
                       Done done) {
  Result refusal = Result::kTooMany;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) refusal = Result::kStopped;
    if (!stopping_ && lanes_.Add({"", lane}, digest, {std::string(secret), hash}, done)) return wake_.notify_one();
  }
  done(refusal);
}

void SlowChecks::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !lanes_.idle(); });
    if (stopping_) return;
    const auto turn = lanes_.Begin();
    const Job& job = lanes_.JobOf(turn);
    lock.unlock();
    const bool matches = matches_(job.secret, job.hash);
    lock.lock();
    const std::vector<Done> waiting = lanes_.End(turn);
    lock.unlock();
    for (const Done& done : waiting) done(matches ? Result::kMatches : Result::kDiffers);
    lock.lock();
  }
}

void SlowChecks::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  std::vector<Done> left;
  {
    const std::lock_guard lock(mutex_);
    left = lanes_.EndAll();
  }
  for (const Done& done : left) done(Result::kStopped);
}

}  // namespace peiling::gateway
