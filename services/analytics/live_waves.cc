#include "services/analytics/live_waves.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/feed/position.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace {

using absl::StatusCode;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kLongestWait{60};
// How soon a caller who left is noticed.
constexpr milliseconds kCancellationCheck{100};

absl::Status Building(const std::string& wave) {
  return status::Error(StatusCode::kUnavailable, "INDEX_BUILDING", absl::StrCat("the index of ", wave, " is being built; try again soon"),
                       {{"wave", wave}});
}

// Nothing at all is wanted.
bool AtTheStart(const survey::v1::FeedPosition& wanted) { return feed::Reached({}, wanted); }

}  // namespace

void LiveWaves::Announce(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  waves_.try_emplace(name);
}

void LiveWaves::Place(const std::string& name, std::shared_ptr<LiveWave> wave) {
  const std::lock_guard<std::mutex> lock(mutex_);
  waves_[name] = std::move(wave);
  changed_.notify_all();
}

void LiveWaves::SetListed() {
  const std::lock_guard<std::mutex> lock(mutex_);
  listed_ = true;
  changed_.notify_all();
}

void LiveWaves::Changed() {
  // Under the mutex, so that nobody who has just looked falls asleep over it.
  const std::lock_guard<std::mutex> lock(mutex_);
  changed_.notify_all();
}

void LiveWaves::Shutdown() {
  const std::lock_guard<std::mutex> lock(mutex_);
  shut_down_ = true;
  changed_.notify_all();
}

absl::StatusOr<std::shared_ptr<LiveWave>> LiveWaves::Get(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return GetLocked(name);
}

absl::StatusOr<std::shared_ptr<LiveWave>> LiveWaves::GetLocked(const std::string& name) const {
  const auto found = waves_.find(name);
  if (found == waves_.end()) {
    if (!listed_) return Building(name);
    return status::Error(StatusCode::kNotFound, "WAVE_NOT_FOUND", absl::StrCat("there is no ", name), {{"wave", name}});
  }
  if (found->second == nullptr || !found->second->caught_up()) return Building(name);
  return found->second;
}

absl::StatusOr<std::vector<std::shared_ptr<LiveWave>>> LiveWaves::OfSurvey(const std::string& survey) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!listed_) return Building(survey);
  const std::string prefix = absl::StrCat(survey, "/waves/");
  std::vector<std::shared_ptr<LiveWave>> waves;
  for (auto found = waves_.lower_bound(prefix); found != waves_.end() && found->first.compare(0, prefix.size(), prefix) == 0; ++found) {
    auto wave = GetLocked(found->first);
    if (!wave.ok()) return wave.status();
    waves.push_back(*std::move(wave));
  }
  if (waves.empty()) {
    return status::Error(StatusCode::kNotFound, "WAVE_NOT_FOUND", absl::StrCat("there is no wave of ", survey), {{"survey", survey}});
  }
  return waves;
}

bool LiveWaves::IsCounted(const std::string& name, const survey::v1::FeedPosition& position) const {
  if (AtTheStart(position)) return true;
  const auto wave = Get(name);
  return wave.ok() && feed::Reached((*wave)->Read().position(), position);
}

absl::StatusOr<std::shared_ptr<LiveWave>> LiveWaves::Await(const std::string& name, const survey::v1::FeedPosition& position,
                                                           const Caller& caller) const {
  if (AtTheStart(position)) return Get(name);
  std::unique_lock<std::mutex> lock(mutex_);
  survey::v1::FeedPosition counted;
  const auto is_counted = [&] {
    const auto wave = GetLocked(name);
    if (!wave.ok()) return false;
    counted = (*wave)->Read().position();
    return feed::Reached(counted, position);
  };
  const Caller patient{std::min(caller.deadline, std::chrono::system_clock::now() + kLongestWait), caller.cancelled};
  const auto waited = WaitFor(lock, is_counted, patient);
  if (waited.ok()) return GetLocked(name);
  if (waited.code() != StatusCode::kDeadlineExceeded) return waited;
  return status::Error(StatusCode::kDeadlineExceeded, "POSITION_NOT_REACHED",
                       absl::StrCat("what was waited for is not counted yet in ", name),
                       {{"wave", name}, {"submissions", feed::SubmissionsText(counted)}, {"records", std::to_string(counted.records())}});
}

absl::Status LiveWaves::AwaitChange(const std::string& name, const LiveWave& wave, uint64_t version, const Caller& caller) const {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto has_changed = [&] {
    const auto found = waves_.find(name);
    return found == waves_.end() || found->second.get() != &wave || wave.version() != version;
  };
  return WaitFor(lock, has_changed, caller);
}

absl::Status LiveWaves::Pause(milliseconds time, const Caller& caller) const {
  const auto until = std::chrono::steady_clock::now() + time;
  std::unique_lock<std::mutex> lock(mutex_);
  return WaitFor(
      lock, [&] { return std::chrono::steady_clock::now() >= until; }, caller);
}

absl::Status LiveWaves::WaitFor(std::unique_lock<std::mutex>& lock, const Condition& condition, const Caller& caller) const {
  while (!condition()) {
    if (shut_down_) return status::Error(StatusCode::kUnavailable, "SHUTTING_DOWN", "analytics is shutting down");
    if (caller.cancelled()) return absl::CancelledError("the caller is gone");
    const auto now = std::chrono::system_clock::now();
    if (now >= caller.deadline) return absl::DeadlineExceededError("waited until the deadline");
    changed_.wait_until(lock, std::min(caller.deadline, now + kCancellationCheck));
  }
  return absl::OkStatus();
}

std::vector<std::shared_ptr<LiveWave>> LiveWaves::CaughtUp() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::shared_ptr<LiveWave>> waves;
  for (const auto& [name, wave] : waves_) {
    if (wave != nullptr && wave->caught_up()) waves.push_back(wave);
  }
  return waves;
}

std::string LiveWaves::Unready() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!listed_) return "the list of waves is being read";
  for (const auto& [name, wave] : waves_) {
    if (wave == nullptr || !wave->caught_up()) return absl::StrCat("the index of ", name, " is being built");
  }
  return "";
}

}  // namespace peiling::analytics
