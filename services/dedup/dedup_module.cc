#include "services/dedup/dedup_module.h"

#include <utility>

#include "google/protobuf/util/time_util.h"
#include "services/common/storage/store.h"
#include "services/dedup/dedup_service.h"
#include "services/dedup/upstream.h"
#include "services/dedup/wave_follower.h"
#include "services/dedup/waves.h"

namespace peiling::dedup {
namespace {

class DedupModule final : public server::Module {
 public:
  DedupModule(const Options& options, std::unique_ptr<storage::Store> store,
              std::unique_ptr<intake::v1::IntakeService::StubInterface> intake,
              std::unique_ptr<registry::v1::RegistryService::StubInterface> registry)
      : store_(std::move(store)),
        waves_(*store_, google::protobuf::util::TimeUtil::GetCurrentTime),
        upstream_(std::move(intake), std::move(registry)),
        follower_(upstream_, waves_),
        service_(*store_, waves_, options.max_waiting_calls) {}

  std::string name() const override { return v1::DedupService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  absl::Status Start() override {
    follower_.Start();
    return absl::OkStatus();
  }
  bool ready() const override { return follower_.ready(); }
  std::string not_ready_reason() const override { return follower_.not_ready_reason(); }
  void Stop() override {
    follower_.Stop();
    service_.Stop();
    store_->Interrupt();
  }

 private:
  const std::unique_ptr<storage::Store> store_;
  Waves waves_;
  Upstream upstream_;
  CatalogueFollower follower_;
  DedupService service_;
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--store", options.store, "Where dedup keeps its data: sqlite:PATH")
      ->envname("PEILING_DEDUP_STORE")
      ->capture_default_str();
  app.add_option("--max-waiting-calls", options.max_waiting_calls, "Watches and waiting calls at once; one more is refused")
      ->envname("PEILING_DEDUP_MAX_WAITING_CALLS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> intake,
                                                           std::shared_ptr<grpc::Channel> registry) {
  auto store = storage::OpenStore(options.store, "dedup");
  if (!store.ok()) return store.status();
  return std::make_unique<DedupModule>(options, *std::move(store), intake::v1::IntakeService::NewStub(std::move(intake)),
                                       registry::v1::RegistryService::NewStub(std::move(registry)));
}

}  // namespace peiling::dedup
