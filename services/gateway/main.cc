// peiling-gateway: one address for the RPCs of all services.
#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/common/server/server.h"
#include "services/gateway/gateway_module.h"

int main(int argc, char** argv) {
  CLI::App app("One address for the RPCs of all Peiling services.", "peiling-gateway");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server, {"access", "analytics", "dedup", "fieldwork", "intake", "registry", "validation"});
  peiling::gateway::Options options;
  peiling::gateway::AddFlags(app, options);
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(server, [&](const auto& peers) {
    return peiling::gateway::MakeModule(options, server,
                                        {peers.at("access"), peers.at("analytics"), peers.at("dedup"), peers.at("fieldwork"),
                                         peers.at("intake"), peers.at("registry"), peers.at("validation")});
  });
}
