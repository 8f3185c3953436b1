// peiling-fieldwork: contacts, invitations, mail and how the fieldwork goes.
#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "services/common/server/server.h"
#include "services/fieldwork/fieldwork_module.h"

int main(int argc, char** argv) {
  CLI::App app("Whom to write to, who may answer, what is mailed when, and how the fieldwork goes.", "peiling-fieldwork");
  peiling::server::Options server;
  peiling::server::AddFlags(app, server, {"intake", "dedup", "analytics", "registry"});
  peiling::fieldwork::Options options;
  peiling::fieldwork::AddFlags(app, options);
  CLI11_PARSE(app, argc, argv);
  if (!server.tls.certificate.empty()) options.gateway_names = server.gateway_names;
  return peiling::server::RunModule(server, [&](const auto& peers) {
    return peiling::fieldwork::MakeModule(
        options,
        {.intake = peers.at("intake"), .dedup = peers.at("dedup"), .analytics = peers.at("analytics"), .registry = peers.at("registry")});
  });
}
