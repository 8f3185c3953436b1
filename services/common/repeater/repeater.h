// Doing something again and again, beside everything else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace peiling {

// A thread that runs something at once and then again, so long after it ended each time. Start and Stop from one thread.
class Repeater {
 public:
  Repeater(std::chrono::milliseconds pause, std::function<void()> run) : pause_(pause), run_(std::move(run)) {}
  ~Repeater() { Stop(); }
  Repeater(const Repeater&) = delete;
  Repeater& operator=(const Repeater&) = delete;

  // Once.
  void Start();
  // Waits for the run under way. May be called twice, or without Start.
  void Stop();

 private:
  void Loop();

  const std::chrono::milliseconds pause_;
  const std::function<void()> run_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling
