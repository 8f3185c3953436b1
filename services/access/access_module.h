// Access, put together.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "services/common/identity/gateways.h"
#include "services/common/server/module.h"

namespace peiling::access {

struct Options {
  // Where keys and the audit log are kept (storage::OpenStore).
  std::string store = "sqlite:access.db";
  // Holds the secret of a key that is an administrator's from the start; made with a new one when missing. Empty: none.
  std::string administrator_key_file;
  // For whom the keys' hashes and writing the audit log are.
  identity::GatewayNames gateway_names;
};

void AddFlags(CLI::App& app, Options& options);

// Errors of opening the store; when it starts, those of the store and FAILED_PRECONDITION/ADMINISTRATOR_KEY_UNUSABLE.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options);

}  // namespace peiling::access
