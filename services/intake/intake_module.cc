#include "services/intake/intake_module.h"

#include <map>
#include <string>
#include <utility>

#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "services/common/storage/store.h"
#include "services/intake/catalog.h"
#include "services/intake/export_reader.h"
#include "services/intake/intake_service.h"
#include "services/intake/response_importer.h"
#include "services/intake/response_store.h"
#include "services/intake/response_validator.h"
#include "services/intake/submission_batcher.h"

namespace peiling::intake {
namespace {

class IntakeModule final : public server::Module {
 public:
  IntakeModule(std::unique_ptr<storage::Store> store, std::shared_ptr<grpc::Channel> validation)
      : store_(std::move(store)), validation_(validation::v1::ValidationService::NewStub(std::move(validation))) {}

  std::string name() const override { return v1::IntakeService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  bool ready() const override { return store_->Health().ok(); }
  std::string not_ready_reason() const override { return std::string(store_->Health().message()); }
  std::map<std::string, bool> health() const override { return {{name(), ready()}, {v1::DraftService::service_full_name(), ready()}}; }
  // Watches end; calls under way go on.
  void Stop() override { store_->Interrupt(); }

 private:
  const std::unique_ptr<storage::Store> store_;
  const std::unique_ptr<validation::v1::ValidationService::StubInterface> validation_;
  Catalog catalog_{*store_};
  ResponseStore responses_{*store_};
  ResponseValidator validator_{*validation_};
  SubmissionBatcher batcher_{catalog_, responses_, validator_};
  ResponseImporter importer_{catalog_, responses_, validator_};
  IntakeService service_{*store_, catalog_, responses_, batcher_, importer_};
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option(
         "--store", options.store,
         "where surveys and responses are kept: sqlite:PATH for one replica, or a Redis that replicas share, e.g. redis://host:6379")
      ->envname("PEILING_INTAKE_STORE")
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> validation) {
  if (absl::Status status = CheckTimeZone(); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<storage::Store>> store = storage::OpenStore(options.store, "intake");
  if (!store.ok()) return store.status();
  return std::make_unique<IntakeModule>(*std::move(store), std::move(validation));
}

}  // namespace peiling::intake
