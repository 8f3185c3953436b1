// Fieldwork, put together.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/server/module.h"

namespace peiling::fieldwork {

struct Options {
  // Where contacts, invitations, mail and webhooks are kept (storage::OpenStore).
  std::string store = "sqlite:fieldwork.db";
};

// Channels to the services it asks.
struct Peers {
  std::shared_ptr<grpc::Channel> intake;
  std::shared_ptr<grpc::Channel> dedup;
  std::shared_ptr<grpc::Channel> analytics;
  std::shared_ptr<grpc::Channel> registry;
};

// Adds the flags above, with environment variables PEILING_….
void AddFlags(CLI::App& app, Options& options);

// Ready while the store is well, once what intake and dedup have of all waves is taken in; from then on it answers from what it has.
// Errors of opening the store; FAILED_PRECONDITION/TIME_ZONE_MISSING.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, const Peers& peers);

}  // namespace peiling::fieldwork
