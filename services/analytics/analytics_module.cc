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
#include "services/analytics/snapshots.h"
#include "services/analytics/wave_followers.h"
#include "services/common/calendar/amsterdam.h"

namespace peiling::analytics {

namespace {

class AnalyticsModule final : public server::Module {
 public:
  AnalyticsModule(const Options& options, const Sources& sources, absl::TimeZone zone, std::shared_ptr<LiveWaves> waves,
                  std::unique_ptr<Snapshots> snapshots)
      : waves_(std::move(waves)),
        snapshots_(std::move(snapshots)),
        followers_(sources, waves_, zone, snapshots_.get()),
        service_(std::make_shared<Analytics>(waves_, std::make_shared<Lineages>(sources.registry), options.max_waiting_calls)) {}

  std::string name() const override { return v1::AnalyticsService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  absl::Status Start() override {
    followers_.Start();
    if (snapshots_ != nullptr) snapshots_->Start();
    return absl::OkStatus();
  }
  bool ready() const override { return waves_->Unready().empty(); }
  std::string not_ready_reason() const override { return waves_->Unready(); }
  void Stop() override {
    waves_->Shutdown();
    followers_.Stop();
    if (snapshots_ != nullptr) snapshots_->Stop();
  }

 private:
  const std::shared_ptr<LiveWaves> waves_;
  // Null: none.
  const std::unique_ptr<Snapshots> snapshots_;
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
  app.add_option(
         "--store", options.store,
         "Where snapshots of the index are kept, e.g. sqlite:/var/lib/peiling/analytics.db, so that a start need not count everything "
         "anew; empty: nowhere")
      ->envname("PEILING_ANALYTICS_STORE");
  app.add_option("--snapshot-seconds", options.snapshot_seconds, "Between two snapshots of a wave that changes")
      ->envname("PEILING_ANALYTICS_SNAPSHOT_SECONDS")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> intake,
                                                           std::shared_ptr<grpc::Channel> dedup, std::shared_ptr<grpc::Channel> registry) {
  if (absl::Status status = calendar::CheckTimeZone(); !status.ok()) return status;
  const Sources sources{intake::v1::IntakeService::NewStub(std::move(intake)), dedup::v1::DedupService::NewStub(std::move(dedup)),
                        registry::v1::RegistryService::NewStub(std::move(registry))};
  auto waves = std::make_shared<LiveWaves>();
  std::unique_ptr<Snapshots> snapshots;
  if (!options.store.empty()) {
    const auto open = [address = options.store] { return storage::OpenStore(address, "analytics"); };
    auto made = Snapshots::Make(open, waves, std::chrono::seconds(options.snapshot_seconds));
    if (!made.ok()) return made.status();
    snapshots = *std::move(made);
  }
  return std::make_unique<AnalyticsModule>(options, sources, calendar::Amsterdam(), std::move(waves), std::move(snapshots));
}

}  // namespace peiling::analytics
