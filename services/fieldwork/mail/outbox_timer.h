// Ends leases, settles and suppresses as time passes, also when nobody asks for mail.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "absl/time/time.h"
#include "services/fieldwork/mail/outbox.h"

namespace peiling::fieldwork {

// A thread that sweeps the outbox. Start and Stop from one thread.
class OutboxTimer {
 public:
  // `outbox` must outlive it. `interval`: between two sweeps.
  explicit OutboxTimer(Outbox& outbox, absl::Duration interval = absl::Seconds(5)) : outbox_(outbox), interval_(interval) {}
  ~OutboxTimer() { Stop(); }

  void Start();
  // Waits for the sweep under way. May be called twice.
  void Stop();

 private:
  void Run();

  Outbox& outbox_;
  const absl::Duration interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::fieldwork
