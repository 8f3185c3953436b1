#include "services/gateway/gateway_module.h"

#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "google/protobuf/message.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/registry/v1/registry.pb.h"
#include "peiling/validation/v1/validation.pb.h"
#include "services/gateway/backend_health.h"

namespace peiling::gateway {
namespace {

// Links the contracts in, though nothing here looks into their messages: the route table and metrics find methods by their descriptors.
void LinkContracts() {
  google::protobuf::LinkMessageReflection<analytics::v1::TabulateRequest>();
  google::protobuf::LinkMessageReflection<dedup::v1::GetCaseRequest>();
  google::protobuf::LinkMessageReflection<intake::v1::GetWaveRequest>();
  google::protobuf::LinkMessageReflection<registry::v1::GetMunicipalityRequest>();
  google::protobuf::LinkMessageReflection<validation::v1::ValidateResponsesRequest>();
}

class GatewayModule final : public server::Module {
 public:
  GatewayModule(const Options& options, std::vector<Backend> backends)
      : routes_(std::move(backends)), proxy_(routes_, options.limits), health_(routes_) {}

  std::string name() const override { return "peiling.gateway"; }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterCallbackGenericService(&proxy_); }
  absl::Status Start() override {
    health_.Start();
    return absl::OkStatus();
  }
  bool ready() const override { return NotServing().empty(); }
  std::string not_ready_reason() const override {
    const std::vector<std::string> down = NotServing();
    return down.empty() ? "" : "not serving: " + absl::StrJoin(down, ", ");
  }
  std::map<std::string, bool> health() const override { return health_.Serving(); }
  bool checks_callers() const override { return true; }
  void Stop() override {
    proxy_.Close();
    health_.Stop();
  }

 private:
  std::vector<std::string> NotServing() const {
    std::vector<std::string> down;
    for (const auto& [service, serving] : health_.Serving()) {
      if (!serving) down.push_back(service);
    }
    return down;
  }

  const RouteTable routes_;
  Proxy proxy_;
  BackendHealth health_;
};

// The service of the contract that a request belongs to. Asking the contract also links it: metrics name the methods they find in one.
template <typename Request>
std::string ServiceOf() {
  return Request::descriptor()->file()->service(0)->full_name();
}

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--max-calls", options.limits.max_calls, "Calls under way at once; one more is refused")
      ->envname("PEILING_GATEWAY_MAX_CALLS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--max-calls-per-backend", options.limits.max_calls_per_backend, "Of those, to one service")
      ->envname("PEILING_GATEWAY_MAX_CALLS_PER_BACKEND")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

std::unique_ptr<server::Module> MakeModule(const Options& options, std::vector<Backend> backends) {
  return std::make_unique<GatewayModule>(options, std::move(backends));
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, const Channels& channels) {
  LinkContracts();
  return MakeModule(options, {{"analytics", ServiceOf<analytics::v1::TabulateRequest>(), channels.analytics},
                              {"dedup", ServiceOf<dedup::v1::GetCaseRequest>(), channels.dedup},
                              {"intake", ServiceOf<intake::v1::GetWaveRequest>(), channels.intake},
                              {"registry", ServiceOf<registry::v1::GetMunicipalityRequest>(), channels.registry},
                              {"validation", ServiceOf<validation::v1::ValidateResponsesRequest>(), channels.validation}});
}

}  // namespace peiling::gateway
