// peiling-analytics: tables, progress and trends from the record feed.
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/analytics/analytics_module.h"
#include "services/common/server/server.h"

int main(int argc, char** argv) {
  CLI::App app("Tables, progress and trends of Peiling's waves, live from the record feed.", "peiling-analytics");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server);
  peiling::analytics::Options options;
  peiling::analytics::AddFlags(app, options);
  std::string intake, dedup, registry;
  const auto address = [&app](const char* flag, const char* environment, std::string& value) {
    app.add_option(flag, value, "Address of the service: host:port or dns:///name:port")->envname(environment)->required();
  };
  address("--intake", "PEILING_INTAKE", intake);
  address("--dedup", "PEILING_DEDUP", dedup);
  address("--registry", "PEILING_REGISTRY", registry);
  CLI11_PARSE(app, argc, argv);
  using peiling::server::Connect;
  return peiling::server::RunModule(
      server, [&] { return peiling::analytics::MakeModule(options, Connect(intake), Connect(dedup), Connect(registry)); });
}
