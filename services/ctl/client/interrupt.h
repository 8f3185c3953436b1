// Ctrl-C during a call: the call is cancelled and ends in order. A second Ctrl-C ends the program at once.
#pragma once

#include <atomic>
#include <thread>

#include "grpcpp/client_context.h"

namespace peiling::ctl {

// While it lives, SIGINT and SIGTERM cancel the call. At most one at a time in a process.
class CancelOnInterrupt {
 public:
  // The call must outlive this.
  explicit CancelOnInterrupt(grpc::ClientContext& call);
  ~CancelOnInterrupt();

  CancelOnInterrupt(const CancelOnInterrupt&) = delete;
  CancelOnInterrupt& operator=(const CancelOnInterrupt&) = delete;

  bool interrupted() const { return interrupted_; }

 private:
  std::atomic<bool> interrupted_ = false;
  std::thread waiter_;
};

}  // namespace peiling::ctl
