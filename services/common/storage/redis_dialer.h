// Logging in at Redis servers and Sentinels, and judging whether a server is fit to keep what must not be lost. Private to this library.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/storage/redis_address.h"
#include "services/common/storage/redis_connection.h"

namespace peiling::storage {

// Whether a server with this health (RedisDialer::Check) can at least be read: it lacks no more than room or replicas.
bool CanBeRead(const absl::Status& health);

// The replicas that follow a primary and have caught up, by its INFO.
std::set<RedisEndpoint> FollowingReplicas(std::string_view info);

// Thread-safe.
class RedisDialer {
 public:
  // `name` is what the connections are called in CLIENT LIST.
  RedisDialer(RedisAddress address, std::string name) : address_(std::move(address)), name_(std::move(name)) {}

  const RedisAddress& address() const { return address_; }
  RedisDeadline Deadline() const { return std::chrono::steady_clock::now() + address_.timeout; }

  // A connection to a server that is a primary and fit. Errors: UNAVAILABLE/STORAGE_UNAVAILABLE and STORAGE_READ_ONLY (a replica), which
  // may pass; FAILED_PRECONDITION/STORAGE_ACCESS (password, rights), STORAGE_EVICTS (maxmemory-policy), STORAGE_NOT_DURABLE (appendfsync),
  // STORAGE_VERSION (before Redis 7), which somebody has to mend.
  absl::StatusOr<std::unique_ptr<RedisConnection>> DialServer(const RedisEndpoint& endpoint, RedisDeadline deadline) const;
  // A connection to any node of a Cluster, to ask it about the Cluster.
  absl::StatusOr<std::unique_ptr<RedisConnection>> DialNode(const RedisEndpoint& endpoint, RedisDeadline deadline) const;
  // A connection to a Sentinel.
  absl::StatusOr<std::unique_ptr<RedisConnection>> DialSentinel(const RedisEndpoint& endpoint, RedisDeadline deadline) const;

  // How a server does: what DialServer refuses, and UNAVAILABLE/STORAGE_NOT_REPLICATED when it has fewer replicas than a write must reach,
  // RESOURCE_EXHAUSTED/STORAGE_FULL when its memory is used up. `following`: who does, when it is a primary that says so.
  absl::Status Check(RedisConnection& connection, RedisDeadline deadline, std::set<RedisEndpoint>& following) const;

 private:
  // A connection that has logged in with a password, "" for none.
  absl::StatusOr<std::unique_ptr<RedisConnection>> Login(const RedisEndpoint& endpoint, const std::string& user,
                                                         const std::string& password, RedisDeadline deadline) const;

  const RedisAddress address_;
  const std::string name_;
};

}  // namespace peiling::storage
