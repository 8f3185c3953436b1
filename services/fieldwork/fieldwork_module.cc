#include "services/fieldwork/fieldwork_module.h"

#include <atomic>
#include <map>
#include <utility>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "peiling/fieldwork/v1/contacts.grpc.pb.h"
#include "peiling/fieldwork/v1/invitations.grpc.pb.h"
#include "peiling/fieldwork/v1/mail.grpc.pb.h"
#include "peiling/fieldwork/v1/progress.grpc.pb.h"
#include "peiling/fieldwork/v1/webhooks.grpc.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/storage/store.h"
#include "services/fieldwork/waves/live_book.h"
#include "services/fieldwork/waves/wave_followers.h"

namespace peiling::fieldwork {
namespace {

class FieldworkModule final : public server::Module {
 public:
  FieldworkModule(std::unique_ptr<storage::Store> store, const Peers& peers)
      : store_(std::move(store)),
        followers_({.intake = intake::v1::IntakeService::NewStub(peers.intake),
                    .dedup = dedup::v1::DedupService::NewStub(peers.dedup),
                    .registry = registry::v1::RegistryService::NewStub(peers.registry)},
                   book_) {}

  // Of its services the one that says how it all goes.
  std::string name() const override { return v1::ProgressService::service_full_name(); }
  void Register(grpc::ServerBuilder&) override {}
  absl::Status Start() override {
    followers_.Start();
    return absl::OkStatus();
  }
  bool ready() const override { return not_ready_reason().empty(); }
  std::string not_ready_reason() const override {
    if (const absl::Status health = store_->Health(); !health.ok()) return absl::StrCat("store: ", std::string(health.message()));
    if (caught_up_) return "";
    std::string reason = book_.Unready();
    caught_up_ = reason.empty();
    return reason;
  }
  std::map<std::string, bool> health() const override {
    const bool healthy = ready();
    return {{v1::ContactService::service_full_name(), healthy},
            {v1::InvitationService::service_full_name(), healthy},
            {v1::MailService::service_full_name(), healthy},
            {v1::WebhookService::service_full_name(), healthy},
            {v1::ProgressService::service_full_name(), healthy}};
  }
  void Stop() override {
    book_.Wake();
    followers_.Stop();
    store_->Interrupt();
  }

 private:
  const std::unique_ptr<storage::Store> store_;
  LiveBook book_;
  WaveFollowers followers_;
  // Once true it stays so: a wave that comes later makes nothing unanswerable.
  mutable std::atomic<bool> caught_up_ = false;
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--store", options.store,
                 "Where contacts, invitations, mail and webhooks are kept: sqlite:PATH for one replica, or redis://…, which replicas share")
      ->envname("PEILING_FIELDWORK_STORE")
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, const Peers& peers) {
  if (absl::Status zone = calendar::CheckTimeZone(); !zone.ok()) return zone;
  absl::StatusOr<std::unique_ptr<storage::Store>> store = storage::OpenStore(options.store, "fieldwork");
  if (!store.ok()) return store.status();
  return std::make_unique<FieldworkModule>(*std::move(store), peers);
}

}  // namespace peiling::fieldwork
