// peiling-dedup: from submissions to one record per municipality.
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/common/server/server.h"
#include "services/dedup/dedup_module.h"

int main(int argc, char** argv) {
  CLI::App app("From everything that came in to one accountable record per municipality.", "peiling-dedup");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server);
  peiling::dedup::Options options;
  peiling::dedup::AddFlags(app, options);
  std::string intake, registry;
  app.add_option("--intake", intake, "Address of intake: host:port or dns:///name:port")->envname("PEILING_INTAKE")->required();
  app.add_option("--registry", registry, "Address of the registry: host:port or dns:///name:port")->envname("PEILING_REGISTRY")->required();
  CLI11_PARSE(app, argc, argv);
  using peiling::server::Connect;
  return peiling::server::RunModule(server, [&] { return peiling::dedup::MakeModule(options, Connect(intake), Connect(registry)); });
}
