#include "services/intake/intake_module.h"

#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/storage/store.h"
#include "services/common/vault/key_marks.h"
#include "services/common/vault/resealer.h"
#include "services/intake/catalog.h"
#include "services/intake/drafts/draft_service.h"
#include "services/intake/drafts/draft_store.h"
#include "services/intake/erasure.h"
#include "services/intake/intake_service.h"
#include "services/intake/personal_answers.h"
#include "services/intake/response_importer.h"
#include "services/intake/response_store.h"
#include "services/intake/response_validator.h"
#include "services/intake/submission_batcher.h"

namespace peiling::intake {
namespace {

class IntakeModule final : public server::Module {
 public:
  IntakeModule(std::unique_ptr<storage::Store> store, std::unique_ptr<vault::Vault> vault, std::shared_ptr<grpc::Channel> validation,
               std::chrono::seconds draft_feed_interval)
      : store_(std::move(store)),
        vault_(std::move(vault)),
        validation_(validation::v1::ValidationService::NewStub(std::move(validation))),
        draft_feed_interval_(draft_feed_interval) {}

  std::string name() const override { return v1::IntakeService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override {
    builder.RegisterService(&service_);
    builder.RegisterService(&draft_service_);
  }
  absl::Status Start() override {
    drafts_.Start();
    erasure_.Start();
    resealer_.Start();
    return absl::OkStatus();
  }
  bool ready() const override { return store_->Health().ok(); }
  std::string not_ready_reason() const override { return std::string(store_->Health().message()); }
  std::map<std::string, bool> health() const override { return {{name(), ready()}, {v1::DraftService::service_full_name(), ready()}}; }
  // Watches end; calls under way go on.
  void Stop() override {
    store_->Interrupt();
    drafts_.Stop();
    erasure_.Stop();
    resealer_.Stop();
  }

 private:
  // Seals anew, in the partitions of waves, what has keys like these.
  vault::Resealer::Pass Reseal(const char* keys) {
    return [this, keys] { return vault::Reseal(*store_, *vault_, {.partitions = "surveys/", .keys = keys, .unsealed_before = true}); };
  }

  const std::unique_ptr<storage::Store> store_;
  const std::unique_ptr<vault::Vault> vault_;
  const std::unique_ptr<validation::v1::ValidationService::StubInterface> validation_;
  const std::chrono::seconds draft_feed_interval_;
  Catalog catalog_{*store_};
  ResponseStore responses_{*store_, *vault_};
  ResponseValidator validator_{*validation_};
  SubmissionBatcher batcher_{catalog_, responses_, validator_};
  ResponseImporter importer_{catalog_, responses_, validator_};
  Erasure erasure_{*store_, catalog_, responses_};
  vault::Resealer resealer_{*store_, *vault_, {Reseal(kPersonalPrefix), Reseal(kSecretKey)}};
  DraftStore drafts_{{*store_, *vault_, catalog_, responses_, validator_}, draft_feed_interval_};
  IntakeService service_{*store_, catalog_, responses_, batcher_, importer_, erasure_, drafts_};
  DraftService draft_service_{drafts_};
};

}  // namespace

void AddDraftFlags(CLI::App& app, Options& options) {
  app.add_option("--draft-feed-interval", options.draft_feed_interval,
                 "seconds within which what is saved of unfinished questionnaires reaches the other services; 0: with every save")
      ->envname("PEILING_INTAKE_DRAFT_FEED_INTERVAL")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
}

void AddFlags(CLI::App& app, Options& options) {
  app.add_option(
         "--store", options.store,
         "where surveys and responses are kept: sqlite:PATH for one replica, or a Redis that replicas share, e.g. redis://host:6379")
      ->envname("PEILING_INTAKE_STORE")
      ->capture_default_str();
  vault::AddFlags(app, options.vault);
  AddDraftFlags(app, options);
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> validation) {
  if (absl::Status status = calendar::CheckTimeZone(); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<storage::Store>> store = storage::OpenStore(options.store, "intake");
  if (!store.ok()) return store.status();
  absl::StatusOr<std::unique_ptr<vault::Vault>> vault = vault::OpenVault(options.vault, options.store, **store);
  if (!vault.ok()) return vault.status();
  return std::make_unique<IntakeModule>(*std::move(store), *std::move(vault), std::move(validation),
                                        std::chrono::seconds(options.draft_feed_interval));
}

}  // namespace peiling::intake
