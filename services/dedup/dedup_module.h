// Dedup, put together: from submissions to records.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/server/module.h"

namespace peiling::dedup {

struct Options {
  // Where it keeps its own data; see storage::OpenStore.
  std::string store = "sqlite:dedup.db";
  // Name of this replica among those that share the store; the same again after a restart spares the others a wait. Empty: the host's name
  // and a random part.
  std::string replica;
  // Calls that wait for a position at once; each holds a thread.
  int max_waiting_calls = 64;
};

// Adds the flags above, with environment variables PEILING_DEDUP_….
void AddFlags(CLI::App& app, Options& options);

// Channels to the services it asks. Ready while the store is well, once it has caught up with those partitions of intake's waves that are
// for it; from then on it answers from what it has. The store's errors.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> intake,
                                                           std::shared_ptr<grpc::Channel> registry);

}  // namespace peiling::dedup
