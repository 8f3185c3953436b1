// A port of its own for probes that speak no TLS, such as those of Kubernetes.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/health_check_service_interface.h"

namespace peiling::server {

// A plaintext listener with grpc.health.v1 and nothing else. Closes when destroyed.
class HealthPort {
 public:
  // The errors of Listen (listen.h).
  static absl::StatusOr<std::unique_ptr<HealthPort>> Open(const std::string& address);
  virtual ~HealthPort() = default;

  virtual int port() const = 0;
  virtual grpc::HealthCheckServiceInterface& service() = 0;
};

}  // namespace peiling::server
