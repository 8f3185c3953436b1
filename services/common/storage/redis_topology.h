// Where the primary of a slot is. Private to this library.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/storage/redis_address.h"
#include "services/common/storage/redis_connection.h"
#include "services/common/storage/redis_dialer.h"

namespace peiling::storage {

// Thread-safe. What it says may be out of date: a server says so itself (READONLY, MOVED) or does not answer, and then Suspect is called.
class RedisTopology {
 public:
  static std::unique_ptr<RedisTopology> Make(const RedisDialer& dialer);
  virtual ~RedisTopology() = default;

  virtual absl::StatusOr<RedisEndpoint> Find(int slot, RedisDeadline deadline) = 0;
  // Asks anew. Errors: UNAVAILABLE when nobody could tell.
  virtual absl::Status Refresh(RedisDeadline deadline) = 0;
  // A server did not do what it should have done: the next Find asks anew.
  virtual void Suspect() = 0;
  // A server said that the slot has moved for good.
  virtual void Moved(int slot, const RedisEndpoint& endpoint) = 0;
  // Who may take the primary's place, as last heard. Empty where nobody tells.
  virtual std::set<RedisEndpoint> Successors() { return {}; }
  // All primaries, as far as known.
  virtual std::vector<RedisEndpoint> Primaries() = 0;
};

}  // namespace peiling::storage
