// Arrangements of Redis servers, with the address of a store on them.
#pragma once

#include <memory>
#include <string>

#include "tests/contract/redis_server.h"

namespace peiling::storage {

// One server.
class PlainRedis {
 public:
  std::string address() const { return "redis://" + server_.endpoint(); }

 private:
  RedisServer server_;
};

}  // namespace peiling::storage
