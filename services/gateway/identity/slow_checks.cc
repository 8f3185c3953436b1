#include "services/gateway/identity/slow_checks.h"

namespace peiling::gateway {

SlowChecks::SlowChecks(const Limits& limits, Matches matches) : limits_(limits), matches_(std::move(matches)) {
  for (int i = 0; i < limits_.threads; ++i) threads_.emplace_back(&SlowChecks::Run, this);
}

SlowChecks::~SlowChecks() { Stop(); }

void SlowChecks::Check(const std::string& lane, const Digest& digest, std::string_view secret, const access::v1::SecretHash& hash,
                       Done done) {
  Result refusal = Result::kTooMany;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) refusal = Result::kStopped;
    if (!stopping_ && Enqueue(lane, digest, secret, hash, done)) return;
  }
  done(refusal);
}

bool SlowChecks::Enqueue(const std::string& lane, const Digest& digest, std::string_view secret, const access::v1::SecretHash& hash,
                         Done& done) {
  Lane& in = lanes_[lane];
  if (in.calls >= limits_.calls_per_lane) return false;
  auto job = in.jobs.find(digest);
  if (job == in.jobs.end()) {
    if (in.jobs.size() >= limits_.secrets_per_lane) return false;
    job = in.jobs.emplace(digest, Job{std::string(secret), hash, {}}).first;
    if (in.order.empty()) turns_.push_back(lane);
    in.order.push_back(digest);
    wake_.notify_one();
  }
  job->second.waiting.push_back(std::move(done));
  ++in.calls;
  return true;
}

void SlowChecks::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !turns_.empty(); });
    if (stopping_) return;
    const std::string lane = turns_.front();
    turns_.pop_front();
    Lane& in = lanes_[lane];
    const Digest digest = in.order.front();
    in.order.pop_front();
    if (!in.order.empty()) turns_.push_back(lane);
    // The job stays where it is until it is done, and only calls are added to it meanwhile.
    const Job& job = in.jobs[digest];
    lock.unlock();
    const bool matches = matches_(job.secret, job.hash);
    lock.lock();
    const std::vector<Done> waiting = Finish(lane, digest);
    lock.unlock();
    for (const Done& done : waiting) done(matches ? Result::kMatches : Result::kDiffers);
    lock.lock();
  }
}

std::vector<SlowChecks::Done> SlowChecks::Finish(const std::string& lane, const Digest& digest) {
  const auto in = lanes_.find(lane);
  const auto job = in->second.jobs.find(digest);
  std::vector<Done> waiting = std::move(job->second.waiting);
  in->second.calls -= waiting.size();
  in->second.jobs.erase(job);
  if (in->second.jobs.empty()) lanes_.erase(in);
  return waiting;
}

void SlowChecks::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  std::map<std::string, Lane> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(lanes_);
    turns_.clear();
  }
  for (const auto& [name, lane] : left) {
    for (const auto& [digest, job] : lane.jobs) {
      for (const Done& done : job.waiting) done(Result::kStopped);
    }
  }
}

}  // namespace peiling::gateway
