// What the servers of a Redis say of themselves, for people who look for a fault.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace peiling::storage {

struct RedisServerState {
  // host:port
  std::string server;
  // Whether it may keep what must not be lost, as RedisDialer judges it: OK or the error a store would give.
  absl::Status fit;
  // The fields of INFO; empty when it could not be asked.
  std::map<std::string, std::string> info;
  // Between the question and its answer.
  std::chrono::milliseconds round_trip{};
};

// Every primary of the address (redis_address.h); reads only, leaves nothing behind. INVALID_ARGUMENT/STORAGE_ADDRESS, UNAVAILABLE when
// nobody can say which servers there are.
absl::StatusOr<std::vector<RedisServerState>> InspectRedis(const std::string& address);

}  // namespace peiling::storage
