#include "services/validation/validation_module.h"

#include <string>
#include <utility>

#include "peiling/registry/v1/registry.grpc.pb.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "services/validation/validation_service.h"
#include "services/validation/validator.h"

namespace peiling::validation {
namespace {

std::unique_ptr<registry::v1::RegistryService::StubInterface> StubOf(const std::shared_ptr<grpc::Channel>& channel) {
  if (channel == nullptr) return nullptr;
  return registry::v1::RegistryService::NewStub(channel);
}

class ValidationModule final : public server::Module {
 public:
  ValidationModule(const Options& options, const std::shared_ptr<grpc::Channel>& registry)
      : registry_(StubOf(registry)), validator_(static_cast<size_t>(options.max_questionnaires), registry_.get()), service_(validator_) {}

  std::string name() const override { return v1::ValidationService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }

 private:
  const std::unique_ptr<registry::v1::RegistryService::StubInterface> registry_;
  Validator validator_;
  ValidationService service_;
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--validation-max-questionnaires", options.max_questionnaires, "Questionnaires kept compiled")
      ->envname("PEILING_VALIDATION_MAX_QUESTIONNAIRES")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> registry) {
  return std::make_unique<ValidationModule>(options, registry);
}

}  // namespace peiling::validation
