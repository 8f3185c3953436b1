#include "services/fieldwork/mail/outbox_timer.h"

#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {

void OutboxTimer::Start() { thread_ = std::thread(&OutboxTimer::Run, this); }

void OutboxTimer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void OutboxTimer::Run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, absl::ToChronoMilliseconds(interval_), [this] { return stopping_; })) {
    lock.unlock();
    if (const absl::Status swept = outbox_.SweepAll(); !swept.ok()) {
      log::Warning("leases of mail could not be ended for now", {{"reason", status::Reason(swept)}});
    }
    lock.lock();
  }
}

}  // namespace peiling::fieldwork
