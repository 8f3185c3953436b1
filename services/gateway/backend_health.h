// Whether the services behind the gateway can answer.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "services/gateway/route_table.h"

namespace peiling::gateway {

// Asks every backend for its health (grpc.health.v1) twice a second, each with a deadline of two seconds, and remembers the answer.
// Thread-safe.
class BackendHealth {
 public:
  // `routes` must outlive this.
  explicit BackendHealth(const RouteTable& routes);
  ~BackendHealth();  // Stops.

  void Start();
  void Stop();

  // By gRPC service; false until the first good answer.
  std::map<std::string, bool> Serving() const;

 private:
  void Watch();

  const RouteTable& routes_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, bool> serving_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::gateway
