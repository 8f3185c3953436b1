// Analytics put together.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/server/module.h"

namespace peiling::analytics {

struct Options {
  // Callers that may wait, or follow progress, at once; each holds a thread of the server.
  int max_waiting_calls = 64;
  // Where snapshots of the index are kept (storage::OpenStore); empty: nowhere, and every start counts everything anew.
  std::string store;
  // Seconds between two snapshots of a wave that changes.
  int snapshot_seconds = 60;
};

void AddFlags(CLI::App& app, Options& options);

// Ready once all waves intake knows are counted up to where their record feeds stood; without a store, or with one that does not answer,
// that takes longer. FAILED_PRECONDITION/TIME_ZONE_MISSING on a system without time zone data; INVALID_ARGUMENT and FAILED_PRECONDITION of
// opening the store.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> intake,
                                                           std::shared_ptr<grpc::Channel> dedup, std::shared_ptr<grpc::Channel> registry);

}  // namespace peiling::analytics
