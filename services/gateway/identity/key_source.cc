#include "services/gateway/identity/key_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
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
  const auto now = options_.clock();
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
    read_at_ = options_.clock();
    auto waiting = std::exchange(waiting_, {});
    lock.unlock();
    for (const auto& done : waiting) done();
    // They hold on to calls, which are over long before the next reading.
    waiting.clear();
    lock.lock();
    wake_.wait_for(lock, Pause(), [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    reading_ = true;
  }
}

void KeySource::Read() {
  auto text = Fetch(address_, options_.limits, stopping_);
  if (!text.ok()) return Fail(text.status());
  // Only this thread changes them.
  auto keys = text_ == *text ? keys_ : TokenKeys::Parse(*text);
  if (!keys.ok()) return Fail(keys.status());
  Take(*std::move(text), *std::move(keys));
}

void KeySource::Fail(const absl::Status& why) {
  const std::lock_guard lock(mutex_);
  ++failures_;
  if (stopping_) return;
  log::Warning("keys of tokens cannot be read", {{"address", address_}, {"error", why.ToString()}});
  if (keys_ == nullptr || keys_->empty() || options_.clock() < good_at_ + options_.most_age) return;
  log::Error("keys of tokens are too old to be believed", {{"address", address_}});
  keys_ = std::make_shared<TokenKeys>();
  text_.reset();
}

void KeySource::Take(std::string text, std::shared_ptr<const TokenKeys> keys) {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
  good_at_ = options_.clock();
  if (keys == keys_) return;
  log::Info("keys of tokens read", {{"address", address_}});
  if (keys->empty()) log::Warning("an issuer of tokens has no keys any longer", {{"address", address_}});
  if (!keys->passed_over().empty()) {
    log::Warning("keys of tokens passed over", {{"address", address_}, {"keys", absl::StrJoin(keys->passed_over(), "; ")}});
  }
  keys_ = std::move(keys);
  text_ = std::move(text);
}

}  // namespace peiling::gateway
