#include "CLI/CLI.hpp"
#include "services/common/server/server.h"
#include "services/intake/intake_module.h"

int main(int argc, char** argv) {
  CLI::App app("Peiling intake: surveys, waves, questionnaires, and the responses to them", "peiling-intake");
  peiling::server::Options server;
  peiling::intake::Options intake;
  peiling::server::AddFlags(app, server, {"validation"});
  peiling::intake::AddFlags(app, intake);
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(server, [&](const auto& peers) { return peiling::intake::MakeModule(intake, peers.at("validation")); });
}
