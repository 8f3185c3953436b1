// The gateway, put together: one address for the RPCs of all services.
#pragma once

#include <memory>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "services/common/server/module.h"
#include "services/gateway/proxy.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

struct Options {
  ProxyLimits limits;
};

// Adds the flags above, with environment variables PEILING_GATEWAY_….
void AddFlags(CLI::App& app, Options& options);

// Channels to the services, in the order of their names.
struct Channels {
  std::shared_ptr<grpc::Channel> analytics;
  std::shared_ptr<grpc::Channel> dedup;
  std::shared_ptr<grpc::Channel> intake;
  std::shared_ptr<grpc::Channel> registry;
  std::shared_ptr<grpc::Channel> validation;
};

// Ready when every backend is; health by service name is that of the backend.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, const Channels& channels);

// The same over any backends.
std::unique_ptr<server::Module> MakeModule(const Options& options, std::vector<Backend> backends);

}  // namespace peiling::gateway
