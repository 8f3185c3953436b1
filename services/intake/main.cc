#include <string>

#include "CLI/CLI.hpp"
#include "services/common/server/server.h"
#include "services/intake/intake_module.h"

int main(int argc, char** argv) {
  CLI::App app("Peiling intake: surveys, waves, questionnaires, and the responses to them", "peiling-intake");
  peiling::server::Options server;
  peiling::intake::Options intake;
  std::string validation;
  peiling::server::AddFlags(app, server);
  peiling::intake::AddFlags(app, intake);
  app.add_option("--validation", validation, "address of validation, host:port or dns:///name:port")
      ->envname("PEILING_VALIDATION")
      ->required();
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(server, [&] { return peiling::intake::MakeModule(intake, peiling::server::Connect(validation)); });
}
