// A service, put together: what its own main and `peiling` (all services in one process) run.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"

namespace peiling::server {

// Life: made → Register → Start → (serves) → Stop → Drain → destroyed, after the server that ran it.
class Module {
 public:
  virtual ~Module() = default;
  // Full name of the gRPC service: "peiling.intake.v1.IntakeService".
  virtual std::string name() const = 0;
  // Registers the handlers, which the module owns: builder.RegisterService(&service_). Limits, health and metrics are the server's.
  virtual void Register(grpc::ServerBuilder& builder) = 0;
  // Starts what runs beside the handlers (followers of feeds). Called once the server listens. An error ends the server.
  virtual absl::Status Start() { return absl::OkStatus(); }
  // Whether it can answer; asked twice a second for health. Must not block. Thread-safe.
  virtual bool ready() const { return true; }
  // Why it is not ready, for people; empty when it is.
  virtual std::string not_ready_reason() const { return ""; }
  // Health by service name, as health checks ask for it; "" (the whole server) is ready(). More than one for whoever answers for other
  // services. Names must stay the same. Must not block. Thread-safe.
  virtual std::map<std::string, bool> health() const { return {{name(), ready()}}; }
  // Whether it finds out itself who calls, call by call. Its server then only asks clients for a certificate, and may do without TLS on
  // loopback; all others take calls from the certificates of this suite alone.
  virtual bool checks_callers() const { return false; }
  // Whether it listens at Options::listen itself, in Start; then its server is called in process alone, for its health.
  virtual bool listens() const { return false; }
  // Where; 0 until then.
  virtual int port() const { return 0; }
  // Called before Start with a channel to the server that runs it.
  virtual void UseServer(const std::shared_ptr<grpc::Channel>&) {}
  // Ends followers and open watches, so that the server can drain; handlers may still be called. Called before the server shuts down.
  virtual void Stop() {}
  // Gives the calls of its own listener the server's drain time, then ends them. Called after Stop.
  virtual void Drain() {}
};

}  // namespace peiling::server
