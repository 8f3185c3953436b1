#include "services/gateway/identity/key_source.h"

#include <algorithm>
#include <utility>

#include "services/common/log/log.h"

namespace peiling::gateway {

KeySource::KeySource(const std::string& address, const Options& options) : address_(address), options_(options) {}

KeySource::~KeySource() { Stop(); }

void KeySource::Start() { thread_ = std::thread(&KeySource::Run, this); }

void KeySource::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::vector<std::function<void()>> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& done : waiting) done();
}

std::shared_ptr<const TokenKeys> KeySource::current() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

bool KeySource::failing() const {
  const std::lock_guard lock(mutex_);
  return keys_ == nullptr || failures_ > 0;
}

// Between two readings. With the mutex.
std::chrono::milliseconds KeySource::Pause() const {
  if (failures_ == 0) return options_.interval;
  return std::min(options_.retry * (1 << std::min(failures_ - 1, 10)), options_.least_interval);
}

KeySource::Refresh KeySource::RefreshNow(std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return Refresh::kNotDue;
  const auto now = std::chrono::steady_clock::now();
  if (!reading_ && now < read_at_ + std::min(Pause(), options_.least_interval)) return Refresh::kNotDue;
  if (waiting_.size() >= options_.most_waiting) return Refresh::kTooMany;
  waiting_.push_back(std::move(done));
  wake_.notify_all();
  return Refresh::kWaits;
}

void KeySource::Run() {
  while (true) {
    Read();
    std::unique_lock lock(mutex_);
    reading_ = false;
    read_at_ = std::chrono::steady_clock::now();
    const auto waiting = std::exchange(waiting_, {});
    lock.unlock();
    for (const auto& done : waiting) done();
    lock.lock();
    wake_.wait_until(lock, read_at_ + Pause(), [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    reading_ = true;
  }
}

void KeySource::Read() {
  auto text = Fetch(address_, options_.limits, stopping_);
  // Only this thread changes it.
  if (text.ok() && *text == text_) {
    const std::lock_guard lock(mutex_);
    failures_ = 0;
    return;
  }
  const auto keys = text.ok() ? TokenKeys::Parse(*text) : text.status();
  const std::lock_guard lock(mutex_);
  if (!keys.ok()) {
    ++failures_;
    if (!stopping_) log::Warning("keys of tokens cannot be read", {{"address", address_}, {"error", keys.status().ToString()}});
    return;
  }
  failures_ = 0;
  keys_ = *keys;
  text_ = *std::move(text);
  log::Info("keys of tokens read", {{"address", address_}});
}

}  // namespace peiling::gateway
