// wait: until the suite can answer.
#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/ctl/commands/commands.h"

namespace peiling::ctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kDefaultTimeout{60};
constexpr milliseconds kAttempt{1000};
constexpr milliseconds kPause{200};

// "" when it serves, else why not.
std::string WhyNot(Session& session, const std::string& service, milliseconds timeout) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  const auto response = session.connection().Call(&Health::Check, request, timeout);
  if (absl::IsNotFound(response.status())) return absl::StrCat("it knows no service \"", service, "\"");
  if (!response.ok()) return "it cannot be reached";
  return response->status() == grpc::health::v1::HealthCheckResponse::SERVING ? "" : "it is not ready yet";
}

absl::StatusOr<ExitCode> Wait(Session& session, const std::string& service) {
  const auto end = steady_clock::now() + session.TimeoutOr(kDefaultTimeout);
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - steady_clock::now());
    const std::string why_not = WhyNot(session, service, std::clamp(left, milliseconds(1), kAttempt));
    if (why_not.empty()) return ExitCode::kOk;
    if (left <= kPause) {
      return status::Error(absl::StatusCode::kDeadlineExceeded, "NOT_READY",
                           absl::StrCat("gave up waiting for ", session.server(), ": ", why_not));
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

void AddWait(CommandLine& line) {
  auto service = std::make_shared<std::string>();
  CLI::App& command = line.AddCommand(line.root(),
                                      {.name = "wait",
                                       .description = "Wait until the suite is healthy, at most --timeout (60s)",
                                       .examples = "  peilingctl wait && peilingctl apply -f surveys/\n"
                                                   "  peilingctl wait --for peiling.analytics.v1.AnalyticsService --timeout 5m\n"},
                                      [service](Session& session) { return Wait(session, *service); });
  line.CompleteWith(command.add_option("--for", *service, "Full name of one service; by default all of them"),
                    {"peiling.access.v1.AccessService", "peiling.registry.v1.RegistryService", "peiling.intake.v1.IntakeService",
                     "peiling.validation.v1.ValidationService", "peiling.dedup.v1.DedupService", "peiling.analytics.v1.AnalyticsService",
                     "peiling.fieldwork.v1.ProgressService"});
}

}  // namespace peiling::ctl
