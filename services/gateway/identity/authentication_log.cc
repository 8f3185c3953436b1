#include "services/gateway/identity/authentication_log.h"

#include <string>
#include <utility>

#include "services/common/log/log.h"
#include "services/common/server/metrics.h"

namespace peiling::gateway {
namespace {

constexpr int kLinesPerSecond = 10;

}  // namespace

AuthenticationLog::AuthenticationLog() {
  auto& family = prometheus::BuildCounter()
                     .Name("peiling_gateway_authentications_total")
                     .Help("Calls by what they showed and what became of it.")
                     .Register(server::Metrics());
  for (size_t shown = 0; shown < kShown.size(); ++shown) {
    for (size_t result = 0; result < kResults.size(); ++result) {
      counters_[shown][result] = &family.Add({{"credential", kShown[shown]}, {"result", kResults[result]}});
    }
  }
}

void AuthenticationLog::Note(CredentialShown shown, const Verdict& verdict) {
  const auto credential = static_cast<size_t>(shown);
  const auto result = static_cast<size_t>(verdict.result);
  counters_[credential][result]->Increment();
  if (verdict.result == Verdict::Result::kHolds) return;
  const std::optional<int64_t> left_out = MayWrite();
  if (!left_out.has_value()) return;
  log::Info(
      "credential refused",
      {{"credential", kShown[credential]}, {"result", kResults[result]}, {"why", verdict.why}, {"left_out", std::to_string(*left_out)}});
}

std::optional<int64_t> AuthenticationLog::MayWrite() {
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
