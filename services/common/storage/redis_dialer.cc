#include "services/common/storage/redis_dialer.h"

#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

constexpr int kLeastVersion = 7;

// The value of a line "name:value" of INFO; "" when there is none.
std::string_view InfoField(std::string_view info, const std::string& name) {
  const std::string line = "\n" + name + ":";
  const size_t at = info.find(line);
  if (at == std::string_view::npos) return {};
  const std::string_view value = info.substr(at + line.size());
  return value.substr(0, value.find('\r'));
}

// The value of a setting in the answer to CONFIG GET.
std::string_view Setting(const redisReply& config, std::string_view name) {
  for (size_t i = 0; i + 1 < Size(config); i += 2) {
    if (Text(At(config, i)) == name) return Text(At(config, i + 1));
  }
  return {};
}

absl::Status Refused(const std::string& server, std::string_view reason, std::string_view message) {
  return RedisError(absl::StatusCode::kFailedPrecondition, reason, server, message);
}

// Whether a server keeps what it acknowledges. `config`: the answer to CONFIG GET, may be an error.
absl::Status JudgeFsync(const std::string& server, const redisReply& config) {
  if (IsError(config)) {
    return Refused(
        server, "STORAGE_ACCESS",
        "cannot see whether writes are durable (" + std::string(Text(config)) + "); allow the user +config|get, or say fsync=any");
  }
  const std::string_view appendonly = Setting(config, "appendonly"), appendfsync = Setting(config, "appendfsync");
  if (appendonly == "yes" && appendfsync == "always") return absl::OkStatus();
  return Refused(server, "STORAGE_NOT_DURABLE",
                 "has appendonly " + std::string(appendonly) + " and appendfsync " + std::string(appendfsync) +
                     ", and would lose what it acknowledged; want yes and always, or say fsync=any");
}

// Whether the server that said so in INFO and CONFIG GET is a primary and fit.
absl::Status Judge(const std::string& server, const redisReply& info_reply, const redisReply& config, bool fsync_always) {
  if (IsError(info_reply)) return Refused(server, "STORAGE_ACCESS", Text(info_reply));
  const std::string_view info = Text(info_reply);
  if (const auto version = InfoField(info, "redis_version"); ToNumber(version) < kLeastVersion) {
    return Refused(server, "STORAGE_VERSION", "is version " + std::string(version) + ", want 7 or later");
  }
  if (InfoField(info, "loading") == "1") {
    return RedisError(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", server, "is reading its files");
  }
  if (const auto role = InfoField(info, "role"); role != "master") {
    return RedisError(absl::StatusCode::kUnavailable, "STORAGE_READ_ONLY", server, "is a replica; want the primary");
  }
  if (const auto policy = InfoField(info, "maxmemory_policy"); policy != "noeviction") {
    return Refused(server, "STORAGE_EVICTS",
                   "has maxmemory-policy " + std::string(policy) + " and would throw data away when it is full; want noeviction");
  }
  return fsync_always ? JudgeFsync(server, config) : absl::OkStatus();
}

void AppendQuestions(RedisConnection& connection) {
  connection.Append({"INFO"});
  connection.Append({"CONFIG", "GET", "append*"});
}

}  // namespace

std::set<RedisEndpoint> FollowingReplicas(std::string_view info) {
  constexpr std::string_view kOnline = ",state=online,";
  std::set<RedisEndpoint> following;
  for (size_t at = info.find(kOnline); at != std::string_view::npos; at = info.find(kOnline, at + 1)) {
    // "slave0:ip=…,port=…" stands before it.
    const std::string_view before = info.substr(0, at);
    const size_t ip = before.rfind("ip="), port = before.rfind(",port=");
    if (ip == std::string_view::npos || port == std::string_view::npos || port < ip) continue;
    following.insert({std::string(before.substr(ip + 3, port - ip - 3)), static_cast<int>(ToNumber(before.substr(port + 6)))});
  }
  return following;
}

bool CanBeRead(const absl::Status& health) {
  const std::string reason = status::Reason(health);
  return health.ok() || reason == "STORAGE_FULL" || reason == "STORAGE_NOT_REPLICATED";
}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisDialer::Login(const RedisEndpoint& endpoint, const std::string& user,
                                                                    const std::string& password, RedisDeadline deadline) const {
  auto connection = RedisConnection::Connect(address_, endpoint, deadline);
  if (!connection.ok() || password.empty()) return connection;
  (*connection)->Append({"AUTH", user.empty() ? "default" : user, password});
  auto replies = (*connection)->Exchange(deadline);
  if (!replies.ok()) return replies.status();
  if (IsError(*replies->front())) return Refused(endpoint.ToString(), "STORAGE_ACCESS", Text(*replies->front()));
  return connection;
}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisDialer::DialServer(const RedisEndpoint& endpoint, RedisDeadline deadline) const {
  auto connection = DialNode(endpoint, deadline);
  if (!connection.ok()) return connection;
  const std::string db = std::to_string(address_.db);
  AppendQuestions(**connection);
  (*connection)->Append({"SELECT", db});
  (*connection)->Append({"CLIENT", "SETNAME", name_});
  auto replies = (*connection)->Exchange(deadline);
  if (!replies.ok()) return replies.status();
  const std::string server = endpoint.ToString();
  absl::Status judged = Judge(server, *(*replies)[0], *(*replies)[1], address_.fsync_always);
  if (!judged.ok()) return judged;
  // db 0 is where a connection begins.
  if (address_.db != 0 && IsError(*(*replies)[2])) return Refused(server, "STORAGE_ACCESS", Text(*(*replies)[2]));
  return connection;
}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisDialer::DialNode(const RedisEndpoint& endpoint, RedisDeadline deadline) const {
  auto password = RedisPassword(address_);
  if (!password.ok()) return password.status();
  return Login(endpoint, address_.user, *password, deadline);
}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisDialer::DialSentinel(const RedisEndpoint& endpoint, RedisDeadline deadline) const {
  auto password = SentinelPassword(address_);
  if (!password.ok()) return password.status();
  return Login(endpoint, "", *password, deadline);
}

absl::Status RedisDialer::Check(RedisConnection& connection, RedisDeadline deadline, std::set<RedisEndpoint>& following) const {
  AppendQuestions(connection);
  auto replies = connection.Exchange(deadline);
  if (!replies.ok()) return replies.status();
  const std::string server = connection.endpoint().ToString();
  const redisReply& info_reply = *(*replies)[0];
  if (absl::Status judged = Judge(server, info_reply, *(*replies)[1], address_.fsync_always); !judged.ok()) return judged;
  const std::string_view info = Text(info_reply);
  following = FollowingReplicas(info);
  if (const auto online = static_cast<int>(following.size()); online < address_.wait) {
    return RedisError(absl::StatusCode::kUnavailable, "STORAGE_NOT_REPLICATED", server,
                      "has " + std::to_string(online) + " replicas that follow, a write must reach " + std::to_string(address_.wait));
  }
  const int64_t most = ToNumber(InfoField(info, "maxmemory"));
  if (most > 0 && ToNumber(InfoField(info, "used_memory")) >= most) {
    return RedisError(absl::StatusCode::kResourceExhausted, "STORAGE_FULL", server, "has used up its maxmemory");
  }
  return absl::OkStatus();
}

}  // namespace peiling::storage
