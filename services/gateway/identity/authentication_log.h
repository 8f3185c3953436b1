// What became of credentials, for operators.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "prometheus/counter.h"
#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {

// What was shown.
enum class CredentialShown { kKey, kToken, kCertificate, kInvitation, kNone };

// Counts peiling_gateway_authentications_total{credential,result} and logs why something does not hold, at most ten lines a second: a flood
// of guesses must not become one of lines. Thread-safe.
class AuthenticationLog {
 public:
  AuthenticationLog();
  void Note(CredentialShown shown, const Verdict& verdict);

 private:
  static constexpr std::array kShown = {"key", "token", "certificate", "invitation", "none"};
  static constexpr std::array kResults = {"ok", "missing", "invalid", "expired", "uncheckable", "too_many"};

  // How many were left out since the last line; nullopt when this one is to be left out, too.
  std::optional<int64_t> MayWrite();

  std::array<std::array<prometheus::Counter*, kResults.size()>, kShown.size()> counters_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point second_;
  int lines_ = 0;
  int64_t left_out_ = 0;
};

}  // namespace peiling::gateway
