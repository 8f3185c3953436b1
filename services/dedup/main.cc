// peiling-dedup: from submissions to one record per municipality.
#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/common/server/server.h"
#include "services/dedup/dedup_module.h"

int main(int argc, char** argv) {
  CLI::App app("From everything that came in to one accountable record per municipality.", "peiling-dedup");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server, {"intake", "registry"});
  peiling::dedup::Options options;
  peiling::dedup::AddFlags(app, options);
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(
      server, [&](const auto& peers) { return peiling::dedup::MakeModule(options, peers.at("intake"), peers.at("registry")); });
}
