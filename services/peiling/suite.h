// All services in one process, behind one address: for a laptop, a demonstration, a test. The same modules as the services' own programs
// run, joined by channels without sockets.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "services/common/server/module.h"
#include "services/common/server/server.h"
#include "services/common/vault/vault.h"
#include "services/fieldwork/fieldwork_module.h"
#include "services/gateway/gateway_module.h"
#include "services/intake/intake_module.h"
#include "services/registry/registry_module.h"

namespace peiling::suite {

struct Options {
  // Where the stores are kept, a file for each service.
  std::string data_dir = "var";
  // In place of those files: a Redis (storage::OpenStore) in which each service keeps its own data, and which several processes may share.
  std::string store;
  // Of dedup among those processes; see dedup::Options.
  std::string replica;
  // Holds the secret of the first administrator's key; see access::Options. Empty: administrator.key in data_dir, or none where data is
  // kept in `store`.
  std::string administrator_key_file;
  // Keys of the personal data in intake and fieldwork. None: personal-data.keys in data_dir, made when missing; with `store` they must be
  // given.
  vault::Options vault;
  // Where links lead, and what mail and webhooks do; a public_url that is empty: the HTTP listener. Its store and keys are those above.
  fieldwork::Options fieldwork{.public_url = ""};
  // What drafts do; its store and keys are those above.
  intake::Options intake;
  // Where reference data is, and how much may come in at once; the other services run with what they have by default.
  registry::Options registry;
  gateway::Options gateway;
};

// Adds the flags above and those of the registry, the gateway, the vault, fieldwork and drafts, with environment variables PEILING_….
void AddFlags(CLI::App& app, Options& options);

// The gateway, with the services it leads to already started; they drain when it stops. `server` are the limits of their servers; they
// listen to nobody else. FAILED_PRECONDITION/DATA_DIRECTORY_UNUSABLE and the errors of the modules.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, const server::Options& server);

}  // namespace peiling::suite
