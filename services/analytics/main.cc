// peiling-analytics: tables, progress and trends from the record feed.
#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/analytics/analytics_module.h"
#include "services/common/server/server.h"

int main(int argc, char** argv) {
  CLI::App app("Tables, progress and trends of Peiling's waves, live from the record feed.", "peiling-analytics");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server, {"intake", "dedup", "registry"});
  peiling::analytics::Options options;
  peiling::analytics::AddFlags(app, options);
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(server, [&](const auto& peers) {
    return peiling::analytics::MakeModule(options, peers.at("intake"), peers.at("dedup"), peers.at("registry"));
  });
}
