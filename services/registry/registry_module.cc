#include "services/registry/registry_module.h"

#include <utility>

#include "services/registry/registry.h"
#include "services/registry/registry_service.h"

namespace peiling::registry {
namespace {

class RegistryModule final : public server::Module {
 public:
  explicit RegistryModule(std::unique_ptr<Registry> registry) : registry_(std::move(registry)), service_(*registry_) {}

  std::string name() const override { return v1::RegistryService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }

 private:
  const std::unique_ptr<Registry> registry_;
  RegistryService service_;
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--reference-data", options.data, "Folder with the reference data about municipalities")
      ->envname("PEILING_REGISTRY_DATA")
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options) {
  absl::StatusOr<ReferenceData> data = LoadReferenceData(options.data);
  if (!data.ok()) return data.status();
  absl::StatusOr<std::unique_ptr<Registry>> registry = Registry::Make(*std::move(data));
  if (!registry.ok()) return registry.status();
  return std::make_unique<RegistryModule>(*std::move(registry));
}

}  // namespace peiling::registry
