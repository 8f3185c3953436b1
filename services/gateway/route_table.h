// The services behind the gateway.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grpcpp/channel.h"

namespace peiling::gateway {

// A service behind the gateway.
struct Backend {
  // As people call it: "intake".
  std::string title;
  // Full name of the gRPC service: "peiling.intake.v1.IntakeService".
  std::string service;
  std::shared_ptr<grpc::Channel> channel;
};

// Immutable, so thread-safe.
class RouteTable {
 public:
  explicit RouteTable(std::vector<Backend> backends) : backends_(std::move(backends)) {}

  const std::vector<Backend>& backends() const { return backends_; }

 private:
  std::vector<Backend> backends_;
};

}  // namespace peiling::gateway
