// Trying again after a lost race (ABORTED/CONCURRENT_CHANGE).
#pragma once

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "absl/status/status.h"
#include "services/common/status/errors.h"

namespace peiling::storage {

// Waits before the try that follows the `attempt`th (from 1): 1 ms, doubled with every attempt up to 64 ms, of which a random part of up to
// half is left out, so that those who lost together do not come back together.
inline void PauseAfterRace(int attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const int64_t longest = 1000LL << std::clamp(attempt - 1, 0, 6);
  std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int64_t>(longest / 2, longest)(random)));
}

// Runs `attempt`, which reads what it needs and commits once, until it does not end as a lost race, at most ten times; its last status.
template <typename Attempt>
absl::Status RetryRaces(const Attempt& attempt) {
  constexpr int kAttempts = 10;
  for (int tries = 1;; ++tries) {
    absl::Status status = attempt();
    if (tries == kAttempts || status::Reason(status) != "CONCURRENT_CHANGE") return status;
    PauseAfterRace(tries);
  }
}

}  // namespace peiling::storage
