// The service config of every channel between services: load balancing, deadlines and retries (service_config.json).
#pragma once

namespace peiling::server {

// JSON, as gRPC's service config has it. Only reads are retried, and only on UNAVAILABLE.
extern const char kServiceConfigJson[];

}  // namespace peiling::server
