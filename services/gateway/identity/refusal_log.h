// Why credentials were refused, for operators.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {

// "key", "token", "certificate" or "none": what was shown.
using CredentialName = const char*;

// Counts peiling_gateway_authentications_total{credential,result} and logs what does not hold, at most ten lines a second: a flood of
// guesses must not become one of lines. Thread-safe.
class RefusalLog {
 public:
  void Note(CredentialName credential, const Verdict& verdict);

 private:
  // How many were left out since the last line; nullopt when this one is to be left out, too.
  std::optional<int64_t> MayWrite();

  std::mutex mutex_;
  std::chrono::steady_clock::time_point second_;
  int lines_ = 0;
  int64_t left_out_ = 0;
};

}  // namespace peiling::gateway
