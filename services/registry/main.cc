#include "CLI/CLI.hpp"
#include "services/common/server/server.h"
#include "services/registry/registry_module.h"

int main(int argc, char** argv) {
  CLI::App app("Municipalities through time, and what people call them.", "peiling-registry");
  peiling::server::Options server_options;
  peiling::registry::Options options;
  peiling::server::AddFlags(app, server_options);
  peiling::registry::AddFlags(app, options);
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(server_options, [&](const auto&) { return peiling::registry::MakeModule(options); });
}
