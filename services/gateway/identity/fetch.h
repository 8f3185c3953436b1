// Reading what an address names: a file, or something small over HTTPS.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace peiling::gateway {

// What is wrong with an address; empty when it may be fetched: "https://…", "http://…" of this machine (127.0.0.1, [::1], localhost), or
// "file:" and an absolute path. No user and no fragment.
std::string FetchProblem(const std::string& address);

// Host of an address, with its port when it has one; empty for what is not http or https.
std::string HostOf(const std::string& address);

struct FetchLimits {
  size_t most_bytes = 256 << 10;
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds timeout{5000};
  // Authorities that are believed, PEM; empty: the system's.
  std::string ca;
};

// Blocks until it is there, the time is over or `stop` is set. Of HTTP it takes an answer 200 alone; redirects are not followed. An error
// is for people, UNAVAILABLE.
absl::StatusOr<std::string> Fetch(const std::string& address, const FetchLimits& limits, const std::atomic<bool>& stop);

}  // namespace peiling::gateway
