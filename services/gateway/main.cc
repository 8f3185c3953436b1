// peiling-gateway: one address for the RPCs of all services.
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/common/server/server.h"
#include "services/gateway/gateway_module.h"

int main(int argc, char** argv) {
  CLI::App app("One address for the RPCs of all Peiling services.", "peiling-gateway");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server);
  peiling::gateway::Options options;
  peiling::gateway::AddFlags(app, options);
  std::string analytics, dedup, intake, registry, validation;
  const auto address = [&app](const char* flag, const char* environment, std::string& value) {
    app.add_option(flag, value, "Address of the service: host:port or dns:///name:port")->envname(environment)->required();
  };
  address("--analytics", "PEILING_ANALYTICS", analytics);
  address("--dedup", "PEILING_DEDUP", dedup);
  address("--intake", "PEILING_INTAKE", intake);
  address("--registry", "PEILING_REGISTRY", registry);
  address("--validation", "PEILING_VALIDATION", validation);
  CLI11_PARSE(app, argc, argv);
  using peiling::server::Connect;
  return peiling::server::RunModule(server, [&] {
    return peiling::gateway::MakeModule(options,
                                        {Connect(analytics), Connect(dedup), Connect(intake), Connect(registry), Connect(validation)});
  });
}
