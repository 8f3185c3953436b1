// Waiting for verdicts.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <ostream>

#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {

// A verdict to come.
class Pending {
 public:
  OnVerdict Take() {
    return [promise = promise_](Verdict verdict) { promise->set_value(std::move(verdict)); };
  }
  bool done() const { return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  // Fails by itself after 20 seconds.
  Verdict Wait() {
    if (future_.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      return Verdict::Refused(Verdict::Result::kMissing, "no verdict");
    return future_.get();
  }

 private:
  std::shared_ptr<std::promise<Verdict>> promise_ = std::make_shared<std::promise<Verdict>>();
  std::future<Verdict> future_ = promise_->get_future();
};

}  // namespace peiling::gateway
