// peiling-validation: judges responses and questionnaires.
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/common/server/server.h"
#include "services/validation/validation_module.h"

int main(int argc, char** argv) {
  CLI::App app("Judges responses and questionnaires of Peiling.", "peiling-validation");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server);
  peiling::validation::Options options;
  peiling::validation::AddFlags(app, options);
  std::string registry;
  app.add_option("--registry", registry, "Address of the registry: host:port or dns:///name:port")->envname("PEILING_REGISTRY")->required();
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(server, [&] { return peiling::validation::MakeModule(options, peiling::server::Connect(registry)); });
}
