#include <string>

#include "CLI/CLI.hpp"
#include "services/access/access_module.h"
#include "services/common/server/server.h"

int main(int argc, char** argv) {
  CLI::App app("Peiling access: the keys that open the gateway, and the log of who did what", "peiling-access");
  peiling::server::Options server;
  peiling::access::Options access;
  peiling::server::AddFlags(app, server);
  peiling::access::AddFlags(app, access);
  CLI11_PARSE(app, argc, argv);
  if (!server.tls.certificate.empty()) access.gateway_names = server.gateway_names;
  return peiling::server::RunModule(server, [&](const auto&) { return peiling::access::MakeModule(access); });
}
