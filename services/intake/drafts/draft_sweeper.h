// Brings drafts that were saved to the submission feed, every so often.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "services/intake/drafts/draft_store.h"

namespace peiling::intake {

// Thread-safe.
class DraftSweeper {
 public:
  // `drafts` must outlive this.
  DraftSweeper(DraftStore& drafts, std::chrono::milliseconds interval) : drafts_(drafts), interval_(interval) {}
  // Stops.
  ~DraftSweeper();
  DraftSweeper(const DraftSweeper&) = delete;
  DraftSweeper& operator=(const DraftSweeper&) = delete;

  // Begins, with what an earlier process left.
  void Start();
  // Returns once it has ended. What it did not get to, the next process does.
  void Stop();

 private:
  void Run();

  DraftStore& drafts_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::intake
