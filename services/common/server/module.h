// A service, put together: what its own main and `peiling` (all services in one process) run.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"

namespace peiling::server {

// Life: made → Start → (serves) → Stop → destroyed.
class Module {
 public:
  virtual ~Module() = default;
  // Full name of the gRPC service, for health checks: "peiling.intake.v1.IntakeService".
  virtual std::string name() const = 0;
  // The handlers; owned by the module.
  virtual grpc::Service& service() = 0;
  // Starts what runs beside the handlers (followers of feeds). Called once the server listens.
  virtual absl::Status Start() { return absl::OkStatus(); }
  // Whether it can answer; asked twice a second for health. Thread-safe.
  virtual bool ready() const { return true; }
  // Why it is not ready, for people; empty when it is.
  virtual std::string not_ready_reason() const { return ""; }
  // Ends followers and open watches, so that the server can drain. Called before the server shuts down.
  virtual void Stop() {}
};

}  // namespace peiling::server
