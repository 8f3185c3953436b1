// Intake, put together.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/server/module.h"

namespace peiling::intake {

struct Options {
  // Where surveys and responses are kept (storage::OpenStore).
  std::string store = "sqlite:intake.db";
};

void AddFlags(CLI::App& app, Options& options);

// `validation`: channel to validation. Errors of opening the store; FAILED_PRECONDITION/TIME_ZONE_MISSING.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> validation);

}  // namespace peiling::intake
