// peiling-validation: judges responses and questionnaires.
#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/common/server/server.h"
#include "services/validation/validation_module.h"

int main(int argc, char** argv) {
  CLI::App app("Judges responses and questionnaires of Peiling.", "peiling-validation");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server, {"registry"});
  peiling::validation::Options options;
  peiling::validation::AddFlags(app, options);
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(server,
                                    [&](const auto& peers) { return peiling::validation::MakeModule(options, peers.at("registry")); });
}
