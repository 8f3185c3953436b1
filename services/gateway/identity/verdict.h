// What came of checking a credential, before it becomes an answer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "peiling/access/v1/identity.pb.h"

namespace peiling::gateway {

struct Verdict {
  enum class Result { kHolds, kMissing, kInvalid, kExpired, kUncheckable, kTooMany };

  Result result = Result::kInvalid;
  // Of kHolds.
  access::v1::Identity identity;
  // Of the others, for the log alone: no secret, and nothing a stranger wrote.
  std::string why;

  static Verdict Holds(access::v1::Identity identity) { return {Result::kHolds, std::move(identity), ""}; }
  static Verdict Refused(Result result, std::string why) { return {result, {}, std::move(why)}; }
};

// Called once for each check.
using OnVerdict = std::function<void(Verdict)>;

// What time it is; a test may have another.
using Clock = std::function<std::chrono::system_clock::time_point()>;

// A time by its seconds since 1970. The clock counts nanoseconds in 64 bits: what lies more than 285 years from then, such as the year 9999
// of what never ends, becomes that.
inline std::chrono::system_clock::time_point TimeAt(int64_t seconds) {
  constexpr int64_t kMost = 9'000'000'000;
  return std::chrono::system_clock::time_point(std::chrono::seconds(std::clamp(seconds, -kMost, kMost)));
}

}  // namespace peiling::gateway
