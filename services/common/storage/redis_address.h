// Where a Redis is and how it is to be used, as one line:
//
//   redis://[user@]host[:6379][/db]?OPTIONS                   one server (or a name that always leads to the primary)
//   redis+sentinel://[user@]h1[:26379],h2,…/NAME?OPTIONS      the primary that these Sentinels call NAME
//   redis+cluster://[user@]h1[:6379],h2,…?OPTIONS             a Redis Cluster; any of its nodes
//   rediss://…, rediss+sentinel://…, rediss+cluster://…       the same over TLS, Sentinels too
//
// Options, separated by "&"; %xx in them stands for a byte:
//   password-file=PATH            read at every connect, so that it may change; without it: $PEILING_REDIS_PASSWORD, if any
//   sentinel-password-file=PATH   for Sentinels that want one
//   ca=PATH                       certificates to trust; without it the system's
//   cert=PATH, key=PATH           our own certificate (mutual TLS)
//   server-name=NAME              the name in the servers' certificates when they are reached by address
//   wait=N|all        replicas that must have a write before it is acknowledged. all (default with Sentinel): every one that follows the
//                     primary or that a Sentinel says is up, at least one, so that whichever replaces it has the write. One that has gone
//                     is waited for until the primary and the Sentinels agree that it has. INFO and the Sentinels must call a replica by
//                     the same name or address (sentinel announce-hostnames and replica-announce-ip alike). 1 with Cluster, 0 for one
//                     server, by default. With N less than the replicas a new primary may be chosen from, a primary that hangs and comes to
//                     can lose what it acknowledged.
//   wait-timeout-ms=N how long to wait for them (1000)
//   timeout-ms=N      for connecting and for every answer (2000)
//   pool=N            connections for reading, per server (8); one more writes
//   fsync=always|any  always (default): refuse servers that do not have "appendonly yes" and "appendfsync always"; any: take what is there
//
// What the servers must have: Redis 7, maxmemory-policy noeviction. An ACL user needs
// "~NAME:* +@read +@write +@scripting +@transaction +@connection +info +wait +config|get +cluster|slots", where NAME is the owner's
// ("intake"); without config|get only fsync=any works. All replicas should be configured like the primary: any of them may become it.
#pragma once

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"

namespace peiling::storage {

struct RedisEndpoint {
  std::string host;
  int port = 0;
  std::string ToString() const;
  bool operator==(const RedisEndpoint&) const = default;
  bool operator<(const RedisEndpoint& other) const { return std::tie(host, port) < std::tie(other.host, other.port); }
};

struct RedisAddress {
  enum class Kind { kServer, kSentinel, kCluster };
  Kind kind = Kind::kServer;
  std::vector<RedisEndpoint> endpoints;
  // Sentinel's name of the primary.
  std::string primary;
  // Empty: Redis' "default".
  std::string user;
  int db = 0;

  std::string password_file;
  std::string sentinel_password_file;

  bool tls = false;
  std::string ca_file, cert_file, key_file;
  std::string server_name;

  // At least so many.
  int wait = 0;
  bool wait_all = false;
  std::chrono::milliseconds wait_timeout{1000};
  std::chrono::milliseconds timeout{2000};
  int pool = 8;
  bool fsync_always = true;
};

// Whether an address is meant to be a Redis.
bool IsRedisAddress(const std::string& address);

// INVALID_ARGUMENT/STORAGE_ADDRESS with every mistake at once.
absl::StatusOr<RedisAddress> ParseRedisAddress(const std::string& address);

// The password to log in with, "" for none; FAILED_PRECONDITION/STORAGE_ACCESS when its file cannot be read.
absl::StatusOr<std::string> RedisPassword(const RedisAddress& address);
// The same for Sentinels.
absl::StatusOr<std::string> SentinelPassword(const RedisAddress& address);

}  // namespace peiling::storage
