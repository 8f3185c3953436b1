// Which backend answers for which gRPC service.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
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
  explicit RouteTable(std::vector<Backend> backends);

  // The backend for a method such as "/peiling.intake.v1.IntakeService/GetWave"; null when there is none.
  const Backend* Find(std::string_view method) const;
  // Whether the method takes and gives one message. False for a method that the contracts in this process do not know.
  bool IsUnary(const std::string& method) const { return unary_.contains(method); }
  const std::vector<Backend>& backends() const { return backends_; }

 private:
  std::vector<Backend> backends_;
  std::map<std::string, const Backend*, std::less<>> by_service_;
  std::unordered_set<std::string> unary_;
};

}  // namespace peiling::gateway
