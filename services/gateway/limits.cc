#include "services/gateway/limits.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

// When places are taken, nobody knows when one is free.
constexpr milliseconds kTryAgain(500);

absl::Status Exhausted(std::string_view reason, const std::string& message, milliseconds delay = kTryAgain,
                       const std::map<std::string, std::string>& metadata = {}) {
  return status::RetryAfter(status::Error(absl::StatusCode::kResourceExhausted, reason, message, metadata), delay);
}

}  // namespace

Limits::Place::~Place() {
  if (limits_ == nullptr) return;
  const std::lock_guard lock(limits_->mutex_);
  --limits_->calls_;
  --limits_->by_backend_[backend_->title];
  if (caller_ == nullptr) return;
  --caller_->calls;
  caller_->streams -= stream_ ? 1 : 0;
}

absl::StatusOr<Limits::Place> Limits::Take(const Call& call, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  ForgetIdle(now);
  Caller* const caller = call.subject.empty() ? nullptr : Filled(call.subject, now);
  if (caller != nullptr) {
    if (absl::Status refused = CheckCaller(*caller, call); !refused.ok()) return refused;
  }
  if (absl::Status refused = CheckAll(call.backend); !refused.ok()) return refused;
  ++calls_;
  ++by_backend_[call.backend.title];
  if (caller != nullptr) {
    caller->tokens -= 1;
    ++caller->calls;
    caller->streams += call.stream ? 1 : 0;
  }
  return Place(this, caller, &call.backend, call.stream);
}

int Limits::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

size_t Limits::callers() const {
  const std::lock_guard lock(mutex_);
  return callers_.size();
}

absl::Status Limits::CheckCaller(const Caller& caller, const Call& call) const {
  const int most = call.invitation ? limits_.max_calls_per_invitation : limits_.max_calls_per_caller;
  if (caller.calls >= most) return Exhausted("TOO_MANY_CALLS", "too many calls of this caller under way");
  if (call.stream && caller.streams >= limits_.max_streams_per_caller) {
    return Exhausted("TOO_MANY_STREAMS", "too many streams of this caller are open");
  }
  if (caller.tokens >= 1) return absl::OkStatus();
  const milliseconds until(static_cast<int64_t>(std::ceil((1 - caller.tokens) / limits_.calls_per_second * 1000)));
  return Exhausted("RATE_LIMITED", absl::StrCat("this caller may make ", limits_.calls_per_second, " calls a second"), until);
}

absl::Status Limits::CheckAll(const Backend& backend) const {
  if (calls_ >= limits_.max_calls) return Exhausted("GATEWAY_BUSY", "too many calls under way");
  const auto of_backend = by_backend_.find(backend.title);
  if (of_backend == by_backend_.end() || of_backend->second < limits_.max_calls_per_backend) return absl::OkStatus();
  return Exhausted("BACKEND_BUSY", absl::StrCat("too many calls to ", backend.title, " under way"), kTryAgain,
                   {{"service", backend.service}});
}

Limits::Caller* Limits::Filled(const std::string& subject, Clock::time_point now) {
  const auto [entry, is_new] = callers_.try_emplace(subject, Caller{.tokens = limits_.burst, .filled = now});
  Caller& caller = entry->second;
  const duration<double> passed = now - caller.filled;
  caller.tokens = std::min(limits_.burst, caller.tokens + std::max(passed.count(), 0.0) * limits_.calls_per_second);
  caller.filled = now;
  return &caller;
}

void Limits::ForgetIdle(Clock::time_point now) {
  const duration<double> full_after(limits_.burst / limits_.calls_per_second);
  // Not at every call, since it looks at all of them.
  if (now - swept_ < std::max(full_after, duration<double>(1))) return;
  swept_ = now;
  std::erase_if(callers_, [&](const auto& entry) { return entry.second.calls == 0 && now - entry.second.filled >= full_after; });
}

}  // namespace peiling::gateway
