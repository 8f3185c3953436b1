// peiling: all services in one process, behind one address.
#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/common/server/server.h"
#include "services/peiling/suite.h"

int main(int argc, char** argv) {
  CLI::App app("All Peiling services in one process, behind one address.", "peiling");
  peiling::server::Options server{.listen = "127.0.0.1:7340"};
  peiling::server::AddFlags(app, server);
  peiling::suite::Options options;
  options.gateway.http.listen = "127.0.0.1:7380";
  peiling::suite::AddFlags(app, options);
  CLI11_PARSE(app, argc, argv);
  return peiling::server::RunModule(server, [&](const auto&) { return peiling::suite::MakeModule(options, server); });
}
