// Analytics put together.
#pragma once

#include <memory>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/server/module.h"

namespace peiling::analytics {

struct Options {
  // Callers that may wait, or follow progress, at once; each holds a thread of the server.
  int max_waiting_calls = 64;
};

void AddFlags(CLI::App& app, Options& options);

// Ready once all waves intake knows are counted up to where their record feeds stood. FAILED_PRECONDITION/TIME_ZONES_MISSING on a system
// without time zone data.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> intake,
                                                           std::shared_ptr<grpc::Channel> dedup, std::shared_ptr<grpc::Channel> registry);

}  // namespace peiling::analytics
