// Validation, put together.
#pragma once

#include <memory>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/server/module.h"

namespace peiling::validation {

struct Options {
  // Questionnaires kept compiled.
  int max_questionnaires = 64;
};

// Adds the flags above, with environment variables PEILING_VALIDATION_….
void AddFlags(CLI::App& app, Options& options);

// `registry` is asked for size classes; null: they are not checked.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> registry);

}  // namespace peiling::validation
