#include "services/gateway/identity/refusal_log.h"

#include <map>
#include <utility>

#include "prometheus/counter.h"
#include "services/common/log/log.h"
#include "services/common/server/metrics.h"

namespace peiling::gateway {
namespace {

constexpr int kLinesPerSecond = 10;

const char* NameOf(Verdict::Result result) {
  switch (result) {
    case Verdict::Result::kHolds:
      return "ok";
    case Verdict::Result::kMissing:
      return "missing";
    case Verdict::Result::kInvalid:
      return "invalid";
    case Verdict::Result::kExpired:
      return "expired";
    case Verdict::Result::kUncheckable:
      return "uncheckable";
    case Verdict::Result::kTooMany:
      return "too_many";
  }
  return "invalid";
}

prometheus::Family<prometheus::Counter>& Counters() {
  static auto& family = prometheus::BuildCounter()
                            .Name("peiling_gateway_authentications_total")
                            .Help("Calls by what they showed and what became of it.")
                            .Register(server::Metrics());
  return family;
}

}  // namespace

void RefusalLog::Note(CredentialName credential, const Verdict& verdict) {
  Counters().Add({{"credential", credential}, {"result", NameOf(verdict.result)}}).Increment();
  if (verdict.result == Verdict::Result::kHolds) return;
  const std::optional<int64_t> left_out = MayWrite();
  if (!left_out.has_value()) return;
  log::Warning(
      "credential refused",
      {{"credential", credential}, {"result", NameOf(verdict.result)}, {"why", verdict.why}, {"left_out", std::to_string(*left_out)}});
}

std::optional<int64_t> RefusalLog::MayWrite() {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    lines_ = 0;
  }
  if (++lines_ <= kLinesPerSecond) return std::exchange(left_out_, 0);
  ++left_out_;
  return std::nullopt;
}

}  // namespace peiling::gateway
