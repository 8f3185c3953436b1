// Where an issuer's keys come from, and what they were last.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "services/gateway/identity/fetch.h"
#include "services/gateway/identity/token_keys.h"

namespace peiling::gateway {

// Reads the keys anew from time to time, and sooner when somebody shows a token by a key that is not among them, as happens when an issuer
// has changed keys: such a key is known `least_interval` and one reading after its first use at the latest, whatever else is shown. What
// was read last holds while the source is down, for a day. Thread-safe.
class KeySource {
 public:
  struct Options {
    std::chrono::milliseconds interval{600'000};
    // Between two readings, whatever is shown: strangers can show tokens by unknown keys as often as they like.
    std::chrono::milliseconds least_interval{30'000};
    // After a failure: doubled with each up to `least_interval`.
    std::chrono::milliseconds retry{1000};
    // After this long without a reading that went well no key is believed any longer: it may have been withdrawn since.
    std::chrono::milliseconds most_age = std::chrono::hours(24);
    // Callers that wait for one reading.
    size_t most_waiting = 1000;
    FetchLimits limits;
    // A test may have another.
    std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
  };

  // `address` as in fetch.h.
  KeySource(const std::string& address, const Options& options);
  ~KeySource();  // Stops.
  KeySource(const KeySource&) = delete;
  KeySource& operator=(const KeySource&) = delete;

  void Start();
  // Ends the reading under way and calls all who wait. May be called twice, not by one of them.
  void Stop();

  // The keys as they were last read: the same pointer as long as they stay the same. Null before the first time; an empty set when the
  // issuer has withdrawn them all, or they have become older than `most_age`.
  std::shared_ptr<const TokenKeys> current() const;
  // Whether the last reading failed, or there was none yet.
  bool failing() const;

  enum class Refresh { kWaits, kNotDue, kTooMany };
  // Reads the keys anew unless that was done just now. kWaits: `done` is called once that is over, well or not, on another thread.
  Refresh RefreshNow(std::function<void()> done);

 private:
  using Time = std::chrono::steady_clock::time_point;

  void Run();
  void Read();
  void Fail(const absl::Status& why);
  void Take(std::string text, std::shared_ptr<const TokenKeys> keys);
  std::chrono::milliseconds Pause() const;

  const std::string address_;
  const Options options_;
  // Changed under the mutex.
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const TokenKeys> keys_;
  // What they were made of, and when that was last read. None when they are too old.
  std::optional<std::string> text_;
  Time good_at_;
  // In a row, since the last success.
  int failures_ = 0;
  // It begins with that.
  bool reading_ = true;
  Time read_at_;
  std::vector<std::function<void()>> waiting_;
  std::thread thread_;
};

}  // namespace peiling::gateway
