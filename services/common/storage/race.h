// Trying again after a lost race (ABORTED/CONCURRENT_CHANGE).
#pragma once

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

namespace peiling::storage {

// Waits before the try that follows the `attempt`th (from 1): 1 ms, doubled with every attempt up to 64 ms, of which a random part of up to
// half is left out, so that those who lost together do not come back together.
inline void PauseAfterRace(int attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const int64_t longest = 1000LL << std::clamp(attempt - 1, 0, 6);
  std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int64_t>(longest / 2, longest)(random)));
}

}  // namespace peiling::storage
