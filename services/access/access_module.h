// Access, put together.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "services/common/server/module.h"

namespace peiling::access {

struct Options {
  // Where keys and the audit log are kept (storage::OpenStore).
  std::string store = "sqlite:access.db";
  // Holds the secret of a key that is an administrator's from the start; made with a new one when missing. Empty: none.
  std::string administrator_key_file;
  // Of the certificates of gateways (DNS or URI), for whom the keys' hashes and writing the audit log are; nullopt where nobody shows
  // certificates: in one process, or without TLS.
  std::optional<std::vector<std::string>> gateway_names;
};

void AddFlags(CLI::App& app, Options& options);

// Errors of opening the store; when it starts, those of the store and FAILED_PRECONDITION/ADMINISTRATOR_KEY_UNUSABLE.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options);

}  // namespace peiling::access
