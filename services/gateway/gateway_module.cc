#include "services/gateway/gateway_module.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "google/protobuf/message.h"
#include "grpcpp/generic/async_generic_service.h"
#include "peiling/access/v1/access.pb.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/fieldwork/v1/progress.pb.h"
#include "peiling/fieldwork/v1/webhooks.pb.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/registry/v1/registry.pb.h"
#include "peiling/validation/v1/validation.pb.h"
#include "services/gateway/backend_health.h"
#include "services/gateway/doorkeeper.h"

namespace peiling::gateway {
namespace {

// What the module is made of that can fail to be made.
struct Parts {
  std::unique_ptr<GatewayAuthenticator> authenticator;
  Permissions permissions;
  std::unique_ptr<AccessLog> access_log;
};

class GatewayModule final : public server::Module {
 public:
  GatewayModule(const Options& options, std::unique_ptr<RouteTable> routes, Parts parts,
                std::unique_ptr<access::v1::AccessService::StubInterface> access)
      : routes_(std::move(routes)),
        parts_(std::move(parts)),
        limits_(options.limits),
        audit_(std::move(access), options.audit),
        door_({.permissions = parts_.permissions,
               .limits = limits_,
               .audit = audit_,
               .access_log = *parts_.access_log,
               .authenticator = *parts_.authenticator,
               .is_proxy = [this](std::string_view certificate) { return parts_.authenticator->IsProxy(certificate); }}),
        health_(*routes_) {}

  // To be called once, before Start.
  absl::Status AddListeners(const Options& options, const server::Options& server) {
    auto grpc = GrpcGateway::Make(options.grpc, server, door_, *routes_);
    if (!grpc.ok()) return grpc.status();
    grpc_ = *std::move(grpc);
    auto http = HttpGateway::Make(options.http, server, door_, *routes_);
    if (!http.ok()) return http.status();
    http_ = *std::move(http);
    return absl::OkStatus();
  }

  std::string name() const override { return "peiling.gateway"; }
  bool checks_callers() const override { return true; }
  bool listens() const override { return true; }
  int port() const override { return grpc_->port(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterCallbackGenericService(&nothing_); }
  void UseServer(const std::shared_ptr<grpc::Channel>& server) override { own_health_ = server; }
  absl::Status Start() override {
    parts_.authenticator->Start();
    health_.Start();
    if (absl::Status listening = grpc_->Start(name(), own_health_); !listening.ok()) return listening;
    return http_->Start();
  }
  bool ready() const override { return not_ready_reason().empty(); }
  std::string not_ready_reason() const override {
    std::vector<std::string> down;
    for (const auto& [service, serving] : health_.Serving()) {
      if (!serving) down.push_back(service);
    }
    return down.empty() ? parts_.authenticator->not_ready_reason() : "not serving: " + absl::StrJoin(down, ", ");
  }
  std::map<std::string, bool> health() const override { return health_.Serving(); }
  void Stop() override {
    door_.Close();
    audit_.Close();
    grpc_->Close();
    http_->Stop();
    parts_.authenticator->Stop();
    health_.Stop();
  }
  void Drain() override { grpc_->Stop(); }

 private:
  const std::unique_ptr<RouteTable> routes_;
  const Parts parts_;
  Limits limits_;
  AuditTrail audit_;
  Doorkeeper door_;
  BackendHealth health_;
  // gRPC runs no server without a service beside health.
  grpc::CallbackGenericService nothing_;
  std::shared_ptr<grpc::Channel> own_health_;
  std::unique_ptr<GrpcGateway> grpc_;
  std::unique_ptr<HttpGateway> http_;
};

// The service of the contract that a request belongs to. Asking the contract also links it in: routes, permissions and metrics find methods
// by their descriptors.
template <typename Request>
std::string ServiceOf() {
  google::protobuf::LinkMessageReflection<Request>();
  return Request::descriptor()->file()->service(0)->full_name();
}

// By their names.
std::vector<Backend> BackendsOf(const Channels& channels) {
  return {{"access", ServiceOf<access::v1::GetKeyRequest>(), channels.access},
          {"analytics", ServiceOf<analytics::v1::TabulateRequest>(), channels.analytics},
          {"dedup", ServiceOf<dedup::v1::GetCaseRequest>(), channels.dedup},
          {"fieldwork", ServiceOf<fieldwork::v1::GetContactRequest>(), channels.fieldwork},
          {"fieldwork", ServiceOf<fieldwork::v1::GetInvitationRequest>(), channels.fieldwork},
          {"fieldwork", ServiceOf<fieldwork::v1::GetMessageRequest>(), channels.fieldwork},
          {"fieldwork", ServiceOf<fieldwork::v1::ListCallsRequest>(), channels.fieldwork},
          {"fieldwork", ServiceOf<fieldwork::v1::GetWebhookRequest>(), channels.fieldwork},
          {"intake", ServiceOf<intake::v1::GetDraftRequest>(), channels.intake},
          {"intake", ServiceOf<intake::v1::GetWaveRequest>(), channels.intake},
          {"registry", ServiceOf<registry::v1::GetMunicipalityRequest>(), channels.registry},
          {"validation", ServiceOf<validation::v1::ValidateResponsesRequest>(), channels.validation}};
}

template <typename Number>
void AddLimit(CLI::App& app, const char* flag, const char* environment, Number& value, const char* help) {
  app.add_option(flag, value, help)->envname(environment)->check(CLI::PositiveNumber)->capture_default_str();
}

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  AddFlags(app, options.identity);
  AddFlags(app, options.grpc);
  AddFlags(app, options.http);
  AddLimit(app, "--max-calls", "PEILING_GATEWAY_MAX_CALLS", options.limits.max_calls, "Calls under way at once; one more is refused");
  AddLimit(app, "--max-calls-per-backend", "PEILING_GATEWAY_MAX_CALLS_PER_BACKEND", options.limits.max_calls_per_backend,
           "Of those, to one service");
  AddLimit(app, "--max-calls-per-caller", "PEILING_GATEWAY_MAX_CALLS_PER_CALLER", options.limits.max_calls_per_caller,
           "Of those, of one caller");
  AddLimit(app, "--max-streams-per-caller", "PEILING_GATEWAY_MAX_STREAMS_PER_CALLER", options.limits.max_streams_per_caller,
           "Of those, streams");
  AddLimit(app, "--calls-per-second", "PEILING_GATEWAY_CALLS_PER_SECOND", options.limits.calls_per_second, "Calls of one caller a second");
  AddLimit(app, "--burst", "PEILING_GATEWAY_BURST", options.limits.burst, "How many of those may come at once after a pause");
  AddLimit(app, "--audit-places", "PEILING_GATEWAY_AUDIT_PLACES", options.audit.places,
           "Calls under way, or not yet in the audit log, of those that belong there");
  app.add_option("--access-log", options.access_log, "File with a line for each call; -: stderr; off: none")
      ->envname("PEILING_GATEWAY_ACCESS_LOG")
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(Options options, const server::Options& server, std::vector<Backend> backends,
                                                           const std::shared_ptr<grpc::Channel>& access,
                                                           const std::shared_ptr<grpc::Channel>& fieldwork) {
  options.identity.allow_anonymous = server.insecure;
  auto routes = std::make_unique<RouteTable>(std::move(backends));
  auto permissions = Permissions::Compile(*routes);
  if (!permissions.ok()) return permissions.status();
  auto authenticator = MakeAuthenticator(options.identity, access, fieldwork);
  if (!authenticator.ok()) return authenticator.status();
  auto access_log = AccessLog::Open(options.access_log);
  if (!access_log.ok()) return access_log.status();
  auto module = std::make_unique<GatewayModule>(options, std::move(routes),
                                                Parts{*std::move(authenticator), *std::move(permissions), *std::move(access_log)},
                                                access::v1::AccessService::NewStub(access));
  if (absl::Status added = module->AddListeners(options, server); !added.ok()) return added;
  return module;
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(Options options, const server::Options& server, const Channels& channels) {
  return MakeModule(std::move(options), server, BackendsOf(channels), channels.access, channels.fieldwork);
}

}  // namespace peiling::gateway
