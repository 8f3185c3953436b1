// The registry, put together.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "services/common/server/module.h"
#include "services/registry/reference_data.h"

namespace peiling::registry {

struct Options {
  // Folder with the reference data.
  std::string data = DefaultDataFolder();
};

// Adds --reference-data (PEILING_REGISTRY_DATA).
void AddFlags(CLI::App& app, Options& options);

// Loads and checks the data. FAILED_PRECONDITION/REFERENCE_DATA_BROKEN with all that is wrong with it.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options);

}  // namespace peiling::registry
