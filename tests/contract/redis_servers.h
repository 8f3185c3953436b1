// Arrangements of Redis servers, with the address of a store on them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/contract/redis_server.h"

namespace peiling::storage {

// One server.
class PlainRedis {
 public:
  std::string address() const { return "redis://" + server_.endpoint(); }

 private:
  RedisServer server_;
};

// One server over mutual TLS, used by an ACL user who has a password and no more rights than redis_address.h says.
class TlsRedis {
 public:
  TlsRedis();
  std::string address() const { return AddressWith(certificates_.path() / "password"); }
  std::string AddressWith(const std::filesystem::path& password_file, const std::string& ca = "ca") const;
  const std::filesystem::path& folder() const { return certificates_.path(); }
  // Without TLS, as the user who may do everything.
  RedisServer& server() { return *server_; }

 private:
  std::string File(const std::string& name) const { return (certificates_.path() / name).string(); }

  Folder certificates_;
  int tls_port_ = 0;
  std::unique_ptr<RedisServer> server_;
};

// A primary, a replica, and Sentinels who make the replica the primary when it is gone for a second.
class SentinelRedis {
 public:
  SentinelRedis();
  std::string address() const;

  RedisServer& primary() { return *servers_[primary_]; }
  RedisServer& replica() { return *servers_[1 - primary_]; }
  // Waits until the replica is the primary, and calls it so.
  void AwaitFailover();
  // Waits until the primary has a replica that follows.
  void AwaitReplica() const;

 private:
  std::unique_ptr<RedisServer> servers_[2];
  size_t primary_ = 0;
  std::vector<std::unique_ptr<RedisServer>> sentinels_;
};

// Three primaries without replicas, each with a third of the slots.
class ClusterRedis {
 public:
  ClusterRedis();
  std::string address() const;

  RedisServer& server(size_t i) { return *servers_[i]; }
  // Moves a slot with the keys in it: Begin makes it migrate, Keys moves some (all: a number large enough), End tells everybody and
  // waits until they agree.
  void BeginMove(int slot, size_t from, size_t to);
  // How many were moved.
  int MoveKeys(int slot, size_t from, size_t to, int most);
  void EndMove(int slot, size_t to);

 private:
  std::unique_ptr<RedisServer> servers_[3];
  std::string ids_[3];
};

}  // namespace peiling::storage
