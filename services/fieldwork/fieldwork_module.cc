#include "services/fieldwork/fieldwork_module.h"

#include <atomic>
#include <map>
#include <string_view>
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
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "services/fieldwork/waves/live_book.h"
#include "services/fieldwork/waves/wave_followers.h"

namespace peiling::fieldwork {
namespace {

constexpr std::string_view kToken = "{token}";

bool IsWebAddress(std::string_view text) { return text.starts_with("https://") || text.starts_with("http://"); }

absl::Status LinkInvalid(std::string_view flag, std::string_view wanted) {
  return status::Error(absl::StatusCode::kInvalidArgument, "LINK_INVALID",
                       absl::StrCat(std::string(flag), " is no address: want ", std::string(wanted)));
}

// Sets the addresses that follow from others.
absl::Status CompleteLinks(Options& options) {
  while (options.public_url.ends_with('/')) options.public_url.pop_back();
  if (!IsWebAddress(options.public_url)) return LinkInvalid("--public-url", "https://HOST");
  // Behind a '#' it stays with the browser: no server, proxy or log on the way sees it.
  if (options.link.empty()) options.link = absl::StrCat(options.public_url, "/deelnemen#", std::string(kToken));
  if (!IsWebAddress(options.link) || options.link.find(kToken) == std::string::npos) {
    return LinkInvalid("--link", "https://HOST/…#{token}");
  }
  return absl::OkStatus();
}

class FieldworkModule final : public server::Module {
 public:
  FieldworkModule(Options options, std::unique_ptr<storage::Store> store, std::unique_ptr<vault::Vault> vault, const Peers& peers)
      : options_(std::move(options)),
        store_(std::move(store)),
        vault_(std::move(vault)),
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
  const Options options_;
  const std::unique_ptr<storage::Store> store_;
  const std::unique_ptr<vault::Vault> vault_;
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
  vault::AddFlags(app, options.vault);
  AddLinkFlags(app, options);
}

void AddLinkFlags(CLI::App& app, Options& options) {
  app.add_option(
         "--public-url", options.public_url,
         "What reaches the gateway's HTTP listener from outside, e.g. https://peiling.example.nl: links to unsubscribe begin with it; "
         "by default, with all services in one process, that listener")
      ->envname("PEILING_PUBLIC_URL")
      ->capture_default_str();
  app.add_option("--link", options.link, "Address of an invitation's link, with {token} in it; default: <public-url>/deelnemen#{token}")
      ->envname("PEILING_FIELDWORK_LINK");
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(Options options, const Peers& peers) {
  if (absl::Status zone = calendar::CheckTimeZone(); !zone.ok()) return zone;
  if (absl::Status links = CompleteLinks(options); !links.ok()) return links;
  absl::StatusOr<std::unique_ptr<storage::Store>> store = storage::OpenStore(options.store, "fieldwork");
  if (!store.ok()) return store.status();
  absl::StatusOr<std::unique_ptr<vault::Vault>> vault = vault::Vault::Open(options.vault, options.store);
  if (!vault.ok()) return vault.status();
  return std::make_unique<FieldworkModule>(std::move(options), *std::move(store), *std::move(vault), peers);
}

}  // namespace peiling::fieldwork
