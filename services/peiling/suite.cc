#include "services/peiling/suite.h"

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/access/access_module.h"
#include "services/analytics/analytics_module.h"
#include "services/common/status/errors.h"
#include "services/dedup/dedup_module.h"
#include "services/fieldwork/fieldwork_module.h"
#include "services/gateway/gateway_module.h"
#include "services/intake/intake_module.h"
#include "services/registry/registry_module.h"
#include "services/validation/validation_module.h"

namespace peiling::suite {
namespace {

using Channel = std::shared_ptr<grpc::Channel>;

// Servers in one process, each using those before it.
class InProcessServers {
 public:
  explicit InProcessServers(server::Options options) : options_(std::move(options)) {
    options_.listen.clear();
    options_.health_listen.clear();
    options_.metrics_listen.clear();
    options_.port_file.clear();
    // Load balancers see the gateway alone.
    options_.drain_pause_seconds = 0;
  }
  ~InProcessServers() { Shutdown(); }

  // Starts a server around the module and gives a channel to it.
  absl::StatusOr<Channel> Add(absl::StatusOr<std::unique_ptr<server::Module>> module) {
    if (!module.ok()) return module.status();
    auto started = server::Server::Start(options_, *std::move(module));
    if (!started.ok()) return started.status();
    servers_.push_back(*std::move(started));
    return servers_.back()->InProcessChannel();
  }

  // The last first: whoever still has calls under way finds those it uses. May be called twice.
  void Shutdown() {
    for (auto server = servers_.rbegin(); server != servers_.rend(); ++server) (*server)->Shutdown();
  }

 private:
  server::Options options_;
  std::vector<std::unique_ptr<server::Server>> servers_;
};

// The gateway as the face of all.
class SuiteModule final : public server::Module {
 public:
  SuiteModule(std::unique_ptr<InProcessServers> access, std::unique_ptr<InProcessServers> servers, std::unique_ptr<server::Module> gateway)
      : access_(std::move(access)), servers_(std::move(servers)), gateway_(std::move(gateway)) {}

  std::string name() const override { return gateway_->name(); }
  void Register(grpc::ServerBuilder& builder) override { gateway_->Register(builder); }
  bool listens() const override { return gateway_->listens(); }
  int port() const override { return gateway_->port(); }
  void UseServer(const std::shared_ptr<grpc::Channel>& server) override { gateway_->UseServer(server); }
  absl::Status Start() override { return gateway_->Start(); }
  bool ready() const override { return gateway_->ready(); }
  std::string not_ready_reason() const override { return gateway_->not_ready_reason(); }
  std::map<std::string, bool> health() const override { return gateway_->health(); }
  bool checks_callers() const override { return gateway_->checks_callers(); }
  void Stop() override {
    gateway_->Stop();
    servers_->Shutdown();
  }
  void Drain() override { gateway_->Drain(); }

 private:
  // Destroyed after the gateway, which calls them. Access goes on until then: the last calls belong in the audit log, too.
  const std::unique_ptr<InProcessServers> access_;
  const std::unique_ptr<InProcessServers> servers_;
  const std::unique_ptr<server::Module> gateway_;
};

// For its owner's eyes alone: responses are personal data.
absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (made) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (!error) return absl::OkStatus();
  return status::Error(absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_UNUSABLE",
                       absl::StrCat("cannot keep data in ", path, ": ", error.message()));
}

// Intake and fieldwork share one file of keys, so that there is one to keep safe.
vault::Options KeysOf(const Options& options) {
  if (!options.store.empty() || !options.vault.keys.empty() || !options.vault.key_file.empty()) return options.vault;
  return vault::Options{.key_file = absl::StrCat(options.data_dir, "/personal-data.keys"), .make_key_file = true};
}

std::string HttpAddress(const Options& options, const server::Options& server) {
  return absl::StrCat(server.tls.certificate.empty() ? "http://" : "https://", options.gateway.http.listen);
}

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--data-dir", options.data_dir, "Directory of the stores; made when missing")
      ->envname("PEILING_DATA_DIR")
      ->capture_default_str();
  app.add_option(
         "--store", options.store,
         "Where access, intake, dedup, analytics and fieldwork keep their data in place of files in --data-dir: redis://…, which several "
         "processes may share")
      ->envname("PEILING_STORE");
  app.add_option("--replica", options.replica,
                 "Name of this process among those that share the store; default: host name and a random part")
      ->envname("PEILING_REPLICA");
  app.add_option("--administrator-key-file", options.administrator_key_file,
                 "File with the secret of an administrator's key that exists from the start, made with a new one when missing; default: "
                 "administrator.key in --data-dir, none with --store")
      ->envname("PEILING_ADMINISTRATOR_KEY_FILE");
  vault::AddFlags(app, options.vault);
  fieldwork::AddBehaviourFlags(app, options.fieldwork);
  intake::AddDraftFlags(app, options.intake);
  registry::AddFlags(app, options.registry);
  gateway::AddFlags(app, options.gateway);
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, const server::Options& server) {
  if (options.store.empty()) {
    if (const auto made = MakeDirectory(options.data_dir); !made.ok()) return made;
  }
  const auto store = [&](const char* service) {
    return options.store.empty() ? absl::StrCat("sqlite:", options.data_dir, "/", service, ".db") : options.store;
  };
  access::Options access_options{.store = store("access"), .administrator_key_file = options.administrator_key_file};
  if (options.store.empty() && access_options.administrator_key_file.empty()) {
    access_options.administrator_key_file = absl::StrCat(options.data_dir, "/administrator.key");
  }
  const vault::Options keys = KeysOf(options);
  auto access_server = std::make_unique<InProcessServers>(server);
  auto servers = std::make_unique<InProcessServers>(server);

  const auto access = access_server->Add(access::MakeModule(access_options));
  if (!access.ok()) return access.status();
  const auto registry = servers->Add(registry::MakeModule(options.registry));
  if (!registry.ok()) return registry.status();
  const auto validation = servers->Add(validation::MakeModule({}, *registry));
  if (!validation.ok()) return validation.status();
  intake::Options intake_options = options.intake;
  intake_options.store = store("intake");
  intake_options.vault = keys;
  const auto intake = servers->Add(intake::MakeModule(intake_options, *validation));
  if (!intake.ok()) return intake.status();
  const auto dedup = servers->Add(dedup::MakeModule({.store = store("dedup"), .replica = options.replica}, *intake, *registry));
  if (!dedup.ok()) return dedup.status();
  const auto analytics = servers->Add(analytics::MakeModule({.store = store("analytics")}, *intake, *dedup, *registry));
  if (!analytics.ok()) return analytics.status();
  fieldwork::Options fieldwork_options = options.fieldwork;
  fieldwork_options.store = store("fieldwork");
  fieldwork_options.vault = keys;
  if (fieldwork_options.public_url.empty()) {
    // Without HTTP nothing answers there; mail has links all the same.
    const bool listens = !options.gateway.http.listen.empty();
    fieldwork_options.public_url = listens ? HttpAddress(options, server) : fieldwork::Options().public_url;
  }
  const auto fieldwork = servers->Add(fieldwork::MakeModule(
      std::move(fieldwork_options), {.intake = *intake, .dedup = *dedup, .analytics = *analytics, .registry = *registry}));
  if (!fieldwork.ok()) return fieldwork.status();

  auto gateway = gateway::MakeModule(options.gateway, server, {*access, *analytics, *dedup, *fieldwork, *intake, *registry, *validation});
  if (!gateway.ok()) return gateway.status();
  return std::make_unique<SuiteModule>(std::move(access_server), std::move(servers), *std::move(gateway));
}

}  // namespace peiling::suite
