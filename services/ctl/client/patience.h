// Asking again for what may be answered then.
#pragma once

#include <algorithm>
#include <chrono>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace peiling::ctl {

// How often something that may pass is tried.
inline constexpr int kTries = 6;
// Waits after something that may pass: the first, doubled each time up to the longest.
inline constexpr std::chrono::milliseconds kLeastWait{200};
inline constexpr std::chrono::milliseconds kLongestWait{10'000};

inline bool MayBeTriedAgain(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsAborted(status) || absl::IsResourceExhausted(status) || absl::IsDeadlineExceeded(status);
}

// How long to wait after so many failures, from 1.
inline std::chrono::milliseconds WaitAfter(int failures) { return std::min(kLongestWait, kLeastWait * (1 << std::min(failures - 1, 10))); }

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// What `attempt` gives, a Status or StatusOr, in the end. `wait` waits for so many milliseconds; false when nobody wants to any more.
template <typename Attempt, typename Wait>
auto Patiently(const Attempt& attempt, const Wait& wait) {
  for (int tries = 1;; ++tries) {
    auto result = attempt();
    if (result.ok() || !MayBeTriedAgain(StatusOf(result)) || tries == kTries || !wait(WaitAfter(tries))) return result;
  }
}

}  // namespace peiling::ctl
