#include "services/intake/drafts/draft_sweeper.h"

#include <string>

#include "services/common/log/log.h"

namespace peiling::intake {

DraftSweeper::~DraftSweeper() { Stop(); }

void DraftSweeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void DraftSweeper::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void DraftSweeper::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const absl::Status published = drafts_.PublishAll([this] {
      const std::lock_guard stopping(mutex_);
      return stopping_;
    });
    if (!published.ok()) {
      log::Warning("not all drafts could be brought to the submission feed; they are tried again", {{"error", published.ToString()}});
    }
    lock.lock();
    stopped_.wait_for(lock, interval_, [this] { return stopping_; });
  }
}

}  // namespace peiling::intake
