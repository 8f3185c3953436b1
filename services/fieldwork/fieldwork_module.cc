#include "services/fieldwork/fieldwork_module.h"

#include <atomic>
#include <chrono>
#include <initializer_list>
#include <map>
#include <utility>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/deadline/deadline.h"
#include "services/common/log/log.h"
#include "services/common/repeater/repeater.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "services/common/vault/key_marks.h"
#include "services/common/vault/resealer.h"
#include "services/fieldwork/contacts/contact_service.h"
#include "services/fieldwork/contacts/contact_store.h"
#include "services/fieldwork/contacts/contact_uses.h"
#include "services/fieldwork/contacts/retention.h"
#include "services/fieldwork/invitations/invitation_service.h"
#include "services/fieldwork/invitations/invitation_store.h"
#include "services/fieldwork/mail/mail_service.h"
#include "services/fieldwork/mail/outbox.h"
#include "services/fieldwork/mail/plan_policy.h"
#include "services/fieldwork/mail/planner.h"
#include "services/fieldwork/mail/suppression_list.h"
#include "services/fieldwork/mail/unsubscribe.h"
#include "services/fieldwork/progress/fieldwork_metrics.h"
#include "services/fieldwork/progress/progress_service.h"
#include "services/fieldwork/public_links.h"
#include "services/fieldwork/waves/live_book.h"
#include "services/fieldwork/waves/wave_followers.h"
#include "services/fieldwork/webhooks/https_post.h"
#include "services/fieldwork/webhooks/webhook_sender.h"
#include "services/fieldwork/webhooks/webhook_service.h"
#include "services/fieldwork/webhooks/webhook_store.h"
#include "services/fieldwork/webhooks/webhook_teller.h"

namespace peiling::fieldwork {
namespace {

// Empty when the text is one.
std::string IsDuration(const std::string& text) {
  absl::Duration duration;
  const bool right = absl::ParseDuration(text, &duration) && duration > absl::ZeroDuration();
  return right ? "" : "want a time such as 90s, 15m or 2h";
}

class FieldworkModule final : public server::Module {
 public:
  FieldworkModule(const Options& options, std::unique_ptr<storage::Store> store, std::unique_ptr<vault::Vault> vault,
                  const AllowedNetworks& webhook_networks, const Peers& peers)
      : store_(std::move(store)),
        vault_(std::move(vault)),
        intake_(intake::v1::IntakeService::NewStub(peers.intake)),
        drafts_(intake::v1::DraftService::NewStub(peers.intake)),
        registry_(registry::v1::RegistryService::NewStub(peers.registry)),
        followers_({.intake = intake_, .dedup = dedup::v1::DedupService::NewStub(peers.dedup), .registry = registry_}, book_),
        invitations_(*store_, *vault_, options.link, absl::Now),
        unsubscriber_(*vault_, suppressions_, options.public_url),
        policy_(plan_sources_, unsubscriber_, intake::v1::DraftService::NewStub(peers.intake), options.link),
        outbox_(*store_, policy_, *vault_, absl::Now, {.settle_time = options.mail_settle_time, .keep_opens = options.keep_opens}),
        invitation_service_(
            {invitations_, contacts_, book_, *drafts_, *intake_},
            [this](const auto& addresses) { return suppressions_.ContainsAddresses(addresses); }, absl::Now, options.gateway_names),
        progress_service_(fact_sources_, contacts_, analytics::v1::AnalyticsService::NewStub(peers.analytics), absl::Now),
        webhooks_(*store_, *vault_, options.webhook_source, absl::Now),
        webhook_sender_(
            webhooks_,
            [webhook_networks, limits = PostLimits{.ca = options.webhook_ca}](const auto& url, const auto& headers, const auto& body) {
              return Post(url, headers, body, webhook_networks, limits);
            },
            absl::Now),
        webhook_service_(webhooks_, webhook_networks) {}

  // Of its services the one that says how it all goes.
  std::string name() const override { return v1::ProgressService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override {
    for (grpc::Service* const service : std::initializer_list<grpc::Service*>{&contact_service_, &invitation_service_, &mail_service_,
                                                                              &progress_service_, &webhook_service_}) {
      builder.RegisterService(service);
    }
  }
  absl::Status Start() override {
    followers_.Start();
    planner_.Start();
    outbox_sweeper_.Start();
    retention_.Start();
    metrics_.Start();
    resealer_.Start();
    webhook_teller_.Start();
    webhook_sender_.Start();
    return absl::OkStatus();
  }
  bool ready() const override { return not_ready_reason().empty(); }
  std::string not_ready_reason() const override {
    if (const absl::Status health = store_->Health(); !health.ok()) return absl::StrCat("store: ", std::string(health.message()));
    return book_.Unready();
  }
  std::map<std::string, bool> health() const override {
    const bool healthy = ready();
    if (healthy && !caught_up_) caught_up_ = book_.Behind().empty();
    const bool knows_responses = healthy && caught_up_;
    return {{v1::ContactService::service_full_name(), healthy},
            {v1::InvitationService::service_full_name(), healthy},
            {v1::MailService::service_full_name(), knows_responses},
            {v1::WebhookService::service_full_name(), healthy},
            {v1::ProgressService::service_full_name(), knows_responses}};
  }
  void Stop() override {
    book_.Close();
    webhook_sender_.Stop();
    webhook_teller_.Stop();
    resealer_.Stop();
    metrics_.Stop();
    retention_.Stop();
    outbox_sweeper_.Stop();
    planner_.Stop();
    followers_.Stop();
    store_->Interrupt();
  }

 private:
  // Each uses those before it.
  const std::unique_ptr<storage::Store> store_;
  const std::unique_ptr<vault::Vault> vault_;
  const std::shared_ptr<intake::v1::IntakeService::StubInterface> intake_;
  const std::unique_ptr<intake::v1::DraftService::StubInterface> drafts_;
  const std::shared_ptr<registry::v1::RegistryService::StubInterface> registry_;

  LiveBook book_;
  WaveFollowers followers_;
  // Once true it stays so: a wave that comes later makes nothing unanswerable.
  mutable std::atomic<bool> caught_up_ = false;

  ContactStore contacts_{*store_, *vault_, absl::Now};
  SuppressionList suppressions_{*store_, contacts_, absl::Now};
  InvitationStore invitations_;

  const PlanSources plan_sources_{book_, invitations_, contacts_, suppressions_, absl::Now};
  Unsubscriber unsubscriber_;
  PlanPolicy policy_;
  Outbox outbox_;
  Planner planner_{plan_sources_, outbox_};
  // Ends leases, settles and suppresses as time passes, also when nobody asks for mail.
  Repeater outbox_sweeper_{std::chrono::seconds(5), [this] { SweepOutbox(); }};
  MailService mail_service_{{book_, invitations_, outbox_, policy_, suppressions_, unsubscriber_}};

  InvitationService invitation_service_;

  const ContactUses uses_{*store_, [this](const auto& wave, const auto& visit) { return outbox_.ForEach(wave, visit); },
                          [this](const auto& wave, const auto& visit) { return invitations_.ForEachUse(wave, visit); }};
  Retention retention_{contacts_, uses_, *intake_, [this](const auto& wave) { return invitations_.ErasePeople(wave); }, absl::Now};
  ContactService contact_service_{contacts_,
                                  uses_,
                                  *registry_,
                                  *intake_,
                                  [this](const auto& tokens) { return suppressions_.Contains(tokens); },
                                  [this](const auto& address) { return invitations_.ErasePerson(address); },
                                  absl::Now};

  const FactSources fact_sources_{
      .book = book_,
      .for_each_invitation = [this](const auto& wave, const auto& visit) { return invitations_.ForEach(wave, visit); },
      .for_each_message = [this](const auto& wave, const auto& visit) { return outbox_.ForEach(wave, visit); },
      .has_receiver = [this](const auto& invitation) { return HasReceiver(invitations_, suppressions_, invitation); }};
  ProgressService progress_service_;
  FieldworkMetrics metrics_{
      {.book = book_,
       .count_messages = [this](const auto& wave) { return outbox_.Counts(wave); },
       .oldest_due = [this](const auto& wave) { return outbox_.OldestDue(wave); },
       .invitations_version = [this](const auto& wave) { return invitations_.Version(wave); },
       .for_each_invitation = [this](const auto& wave, const auto& visit) { return invitations_.ForEach(wave, visit); }},
      absl::Now};

  WebhookStore webhooks_;
  WebhookTeller webhook_teller_{book_, webhooks_, [this](const std::string& wave) { return HistoryOf(wave); }, absl::Now};
  WebhookSender webhook_sender_;
  WebhookService webhook_service_;

  vault::Resealer resealer_{
      *store_,
      *vault_,
      {Reseal(ContactStore::kPartition, ContactStore::kSealed), Reseal(ContactStore::kPartition, ContactStore::kPepper),
       Reseal(WebhookStore::kPartition, WebhookStore::kSecrets), [this] { return ResealHolders(); }}};

  // Seals documents of a partition anew whose keys begin like this.
  vault::Resealer::Pass Reseal(const char* partition, const char* keys) {
    return [this, partition, keys] { return vault::Reseal(*store_, *vault_, {.partitions = partition, .keys = keys}); };
  }
  absl::StatusOr<vault::Resealed> ResealHolders() {
    const auto waves = store_->Partitions("surveys/");
    if (!waves.ok()) return waves.status();
    vault::Resealed found;
    for (const std::string& wave : *waves) {
      const auto resealed = invitations_.ResealHolders(wave);
      if (!resealed.ok()) return resealed;
      found += *resealed;
    }
    return found;
  }
  void SweepOutbox() {
    if (const absl::Status swept = outbox_.SweepAll(); !swept.ok()) {
      log::Warning("leases of mail could not be ended for now", {{"reason", status::Reason(swept)}});
    }
  }
  // What was changed about the times of a wave.
  absl::StatusOr<std::vector<intake::v1::WaveChange>> HistoryOf(const std::string& wave) {
    constexpr int kPageSize = 1000;
    intake::v1::ListWaveChangesRequest request;
    request.set_parent(wave);
    request.set_page_size(kPageSize);
    std::vector<intake::v1::WaveChange> changes;
    do {
      grpc::ClientContext context;
      deadline::Set(context, std::chrono::seconds(5));
      intake::v1::ListWaveChangesResponse page;
      if (const grpc::Status listed = intake_->ListWaveChanges(&context, request, &page); !listed.ok()) return status::FromGrpc(listed);
      changes.insert(changes.end(), page.changes().begin(), page.changes().end());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return changes;
  }
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--store", options.store,
                 "Where contacts, invitations, mail and webhooks are kept: sqlite:PATH for one replica, or redis://…, which replicas share")
      ->envname("PEILING_FIELDWORK_STORE")
      ->capture_default_str();
  vault::AddFlags(app, options.vault);
  AddBehaviourFlags(app, options);
}

void AddBehaviourFlags(CLI::App& app, Options& options) {
  app.add_option(
         "--public-url", options.public_url,
         "What reaches the gateway's HTTP listener from outside, e.g. https://peiling.example.nl: links to unsubscribe begin with it; "
         "by default, with all services in one process, that listener")
      ->envname("PEILING_PUBLIC_URL")
      ->capture_default_str();
  app.add_option("--link", options.link,
                 "Address of an invitation's link, with {token} behind its '#'; default: <public-url>/deelnemen#{token}")
      ->envname("PEILING_FIELDWORK_LINK");
  app.add_option_function<std::string>(
         "--mail-settle-time", [&options](const std::string& text) { absl::ParseDuration(text, &options.mail_settle_time); },
         "How long after its lease a message that was begun waits for an event of its mailing system; without one it is sent again, once: "
         "15m")
      ->envname("PEILING_MAIL_SETTLE_TIME")
      ->check(IsDuration);
  app.add_flag("--keep-opens", options.keep_opens, "Keep that mail was opened, when a mailing system says so")
      ->envname("PEILING_KEEP_OPENS");
  app.add_option("--webhook-source", options.webhook_source, "Who webhooks say they are from: urn:nld:oin:OIN:systeem:peiling")
      ->envname("PEILING_WEBHOOK_SOURCE")
      ->capture_default_str();
  app.add_option("--webhook-allow", options.webhook_allow, "Networks webhooks may lead to although they are not public: 10.1.0.0/16")
      ->envname("PEILING_WEBHOOK_ALLOW")
      ->delimiter(',');
  app.add_option("--webhook-ca", options.webhook_ca, "Authorities receivers of webhooks are believed of, PEM; default: the system's")
      ->envname("PEILING_WEBHOOK_CA");
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(Options options, const Peers& peers) {
  if (absl::Status zone = calendar::CheckTimeZone(); !zone.ok()) return zone;
  absl::StatusOr<PublicLinks> links = MakePublicLinks(options.public_url, options.link);
  if (!links.ok()) return links.status();
  options.public_url = std::move(links->public_url);
  options.link = std::move(links->link);
  absl::StatusOr<std::unique_ptr<storage::Store>> store = storage::OpenStore(options.store, "fieldwork");
  if (!store.ok()) return store.status();
  absl::StatusOr<std::unique_ptr<vault::Vault>> vault = vault::OpenVault(options.vault, options.store, **store);
  if (!vault.ok()) return vault.status();
  const absl::StatusOr<AllowedNetworks> networks = AllowedNetworks::Parse(options.webhook_allow);
  if (!networks.ok()) return networks.status();
  return std::make_unique<FieldworkModule>(options, *std::move(store), *std::move(vault), *networks, peers);
}

}  // namespace peiling::fieldwork
