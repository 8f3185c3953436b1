#include "tests/contract/redis_servers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace peiling::storage {
namespace {

constexpr int kSlots = 16384;

// Two authorities, and certificates of the first for a server on 127.0.0.1 and a client.
constexpr char kMakeCertificates[] = R"(
  set -e
  new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -keyout $1.key -out $1.crt "${@:2}"; }
  new ca -subj /CN=ca
  new stranger -subj /CN=stranger
  new server -subj /CN=server -addext subjectAltName=IP:127.0.0.1 -CA ca.crt -CAkey ca.key
  new client -subj /CN=client -CA ca.crt -CAkey ca.key
)";

}  // namespace

// ---- TLS

TlsRedis::TlsRedis() : tls_port_(FreePort()) {
  const std::string command = "cd " + folder().string() + " && bash -c '" + kMakeCertificates + "' >openssl.log 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ofstream(folder() / "password") << "secret\n";
  server_ = std::make_unique<RedisServer>(std::vector<std::string>{
      "tls-port " + std::to_string(tls_port_),
      "tls-cert-file " + File("server.crt"),
      "tls-key-file " + File("server.key"),
      "tls-ca-cert-file " + File("ca.crt"),
      "user peiling on >secret ~test* +@read +@write +@scripting +@transaction +@connection +info +wait +config|get",
  });
}

std::string TlsRedis::AddressWith(const std::filesystem::path& password_file, const std::string& ca) const {
  return "rediss://peiling@127.0.0.1:" + std::to_string(tls_port_) + "?password-file=" + password_file.string() +
         "&ca=" + File(ca + ".crt") + "&cert=" + File("client.crt") + "&key=" + File("client.key");
}

// ---- Sentinel

SentinelRedis::SentinelRedis() {
  servers_[0] = std::make_unique<RedisServer>();
  const std::string port = std::to_string(servers_[0]->port());
  servers_[1] = std::make_unique<RedisServer>(std::vector<std::string>{"replicaof 127.0.0.1 " + port});
  AwaitReplica();
  for (int i = 0; i < 3; ++i) {
    sentinels_.push_back(std::make_unique<RedisServer>(
        std::vector<std::string>{"sentinel monitor peiling 127.0.0.1 " + port + " 2", "sentinel down-after-milliseconds peiling 1000",
                                 "sentinel failover-timeout peiling 3000"},
        true));
  }
  for (const auto& sentinel : sentinels_) Await(*sentinel, {"INFO", "sentinel"}, "slaves=1,sentinels=3");
}

std::string SentinelRedis::address() const {
  std::string hosts;
  for (const auto& sentinel : sentinels_) hosts += (hosts.empty() ? "" : ",") + sentinel->endpoint();
  return "redis+sentinel://" + hosts + "/peiling";
}

void SentinelRedis::AwaitFailover() {
  primary_ = 1 - primary_;
  Await(primary(), {"INFO", "replication"}, "role:master");
}

void SentinelRedis::AwaitReplica() const { Await(*servers_[primary_], {"INFO", "replication"}, "state=online"); }

// ---- Cluster

ClusterRedis::ClusterRedis() {
  for (size_t i = 0; i < 3; ++i) {
    servers_[i] = std::make_unique<RedisServer>(std::vector<std::string>{"cluster-enabled yes", "cluster-node-timeout 5000"});
    ids_[i] = servers_[i]->Ask({"CLUSTER", "MYID"});
    const int first = static_cast<int>(i) * kSlots / 3, last = (static_cast<int>(i) + 1) * kSlots / 3 - 1;
    servers_[i]->Ask({"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(last)});
    servers_[i]->Ask({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
  }
  for (size_t i = 1; i < 3; ++i) servers_[i]->Ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(servers_[0]->port())});
  for (const auto& server : servers_) Await(*server, {"CLUSTER", "INFO"}, "cluster_state:ok");
  for (const auto& server : servers_) Await(*server, {"CLUSTER", "INFO"}, "cluster_known_nodes:3");
}

std::string ClusterRedis::address() const { return "redis+cluster://" + servers_[2]->endpoint() + "?wait=0"; }

void ClusterRedis::BeginMove(int slot, size_t from, size_t to) {
  servers_[to]->Ask({"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", ids_[from]});
  servers_[from]->Ask({"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", ids_[to]});
}

int ClusterRedis::MoveKeys(int slot, size_t from, size_t to, int most) {
  std::istringstream keys(servers_[from]->Ask({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(most)}));
  int moved = 0;
  for (std::string key; keys >> key; ++moved) {
    EXPECT_EQ(servers_[from]->Ask({"MIGRATE", "127.0.0.1", std::to_string(servers_[to]->port()), key, "0", "5000"}), "OK");
  }
  return moved;
}

void ClusterRedis::EndMove(int slot, size_t to) {
  servers_[to]->Ask({"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", ids_[to]});
  for (const auto& server : servers_) server->Ask({"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", ids_[to]});
  // A server that takes the slot next must go beyond this epoch. If it did not know of it, it would hear of it too late, believe that it
  // had lost the slot and delete its keys.
  const std::string field = "cluster_my_epoch:", info = servers_[to]->Ask({"CLUSTER", "INFO"});
  const size_t found = info.find(field);
  ASSERT_NE(found, std::string::npos) << info;
  const auto epoch = std::to_string(std::stoi(info.substr(found + field.size())));
  for (const auto& server : servers_) Await(*server, {"CLUSTER", "NODES"}, " " + epoch + " connected ");
}

}  // namespace peiling::storage
