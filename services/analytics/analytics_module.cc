#include "services/analytics/analytics_module.h"

#include <string>
#include <utility>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/time/time.h"
#include "services/analytics/analytics.h"
#include "services/analytics/analytics_service.h"
#include "services/analytics/lineages.h"
#include "services/analytics/live_waves.h"
#include "services/analytics/wave_followers.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace {

class AnalyticsModule final : public server::Module {
 public:
  AnalyticsModule(const Options& options, Sources sources, absl::TimeZone zone)
      : waves_(std::make_shared<LiveWaves>()),
        followers_(sources, waves_, zone),
        service_(std::make_shared<Analytics>(waves_, std::make_shared<Lineages>(sources.registry), options.max_waiting_calls)) {}

  std::string name() const override { return v1::AnalyticsService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  absl::Status Start() override {
    followers_.Start();
    return absl::OkStatus();
  }
  bool ready() const override { return waves_->Unready().empty(); }
  std::string not_ready_reason() const override { return waves_->Unready(); }
  void Stop() override {
    waves_->Shutdown();
    followers_.Stop();
  }

 private:
  const std::shared_ptr<LiveWaves> waves_;
  WaveFollowers followers_;
  AnalyticsServiceImpl service_;
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--max-waiting-calls", options.max_waiting_calls,
                 "Callers that may wait, or follow progress, at once; each holds a thread")
      ->envname("PEILING_ANALYTICS_MAX_WAITING_CALLS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> intake,
                                                           std::shared_ptr<grpc::Channel> dedup, std::shared_ptr<grpc::Channel> registry) {
  absl::TimeZone zone;
  if (!absl::LoadTimeZone("Europe/Amsterdam", &zone)) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "TIME_ZONES_MISSING",
                         "there is no time zone Europe/Amsterdam; install the package tzdata");
  }
  Sources sources{intake::v1::IntakeService::NewStub(intake), dedup::v1::DedupService::NewStub(dedup),
                  registry::v1::RegistryService::NewStub(registry)};
  return std::make_unique<AnalyticsModule>(options, std::move(sources), zone);
}

}  // namespace peiling::analytics
