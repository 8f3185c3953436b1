// Clients that neither send what is awaited of them nor take what is there for them must not hold places, memory and backends for ever.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

namespace peiling::gateway {

// Looks at all calls once a second. Thread-safe.
class Watchdog {
 public:
  using Clock = std::chrono::steady_clock;

  // A call, as far as its client is waited for. Owned by shared pointers. Thread-safe.
  class Watched : public std::enable_shared_from_this<Watched> {
   public:
    explicit Watched(Watchdog& watchdog) : watchdog_(watchdog) { watchdog_.Add(this); }
    virtual ~Watched() { watchdog_.Remove(this); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

   protected:
    // The client is to send or take a message, or the status; there may be several such waits at once.
    void Await();
    // One of them is over: whatever else is awaited gets its time anew.
    void Arrived();

   private:
    friend class Watchdog;
    // Nothing came of any wait for too long. Called once a second from then on, on the watchdog's thread; must not block.
    virtual void OnOverdue() = 0;
    bool Overdue(Clock::time_point now) const;

    Watchdog& watchdog_;
    std::atomic<int> waits_{0};
    std::atomic<Clock::time_point> since_{Clock::time_point()};
  };

  explicit Watchdog(std::chrono::milliseconds patience);
  // All watched are gone before.
  ~Watchdog();

 private:
  void Add(Watched* watched);
  void Remove(Watched* watched);
  void Run();

  const std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::unordered_set<Watched*> watched_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::gateway
