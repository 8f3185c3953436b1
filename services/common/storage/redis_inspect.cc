#include "services/common/storage/redis_inspect.h"

#include <memory>
#include <string_view>
#include <utility>

#include "services/common/storage/redis_dialer.h"
#include "services/common/storage/redis_topology.h"

namespace peiling::storage {
namespace {

// Lines "name:value\r\n"; headings begin with "#".
std::map<std::string, std::string> ParseInfo(std::string_view text) {
  std::map<std::string, std::string> fields;
  while (!text.empty()) {
    const size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
      fields[std::string(line.substr(0, colon))] = std::string(line.substr(colon + 1));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 2);
  }
  return fields;
}

absl::Status Inspect(const RedisDialer& dialer, const RedisEndpoint& endpoint, RedisServerState& state) {
  const RedisDeadline deadline = dialer.Deadline();
  auto connection = dialer.DialNode(endpoint, deadline);
  if (!connection.ok()) return connection.status();
  const auto begin = std::chrono::steady_clock::now();
  (*connection)->Append({"INFO"});
  auto replies = (*connection)->Exchange(deadline);
  if (!replies.ok()) return replies.status();
  state.round_trip = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  state.info = ParseInfo(Text(*replies->front()));
  std::set<RedisEndpoint> following;
  return dialer.Check(**connection, deadline, following);
}

}  // namespace

absl::StatusOr<std::vector<RedisServerState>> InspectRedis(const std::string& address) {
  auto parsed = ParseRedisAddress(address);
  if (!parsed.ok()) return parsed.status();
  const RedisDialer dialer(*std::move(parsed), "doctor");
  const auto topology = RedisTopology::Make(dialer);
  if (absl::Status found = topology->Refresh(dialer.Deadline()); !found.ok()) return found;
  std::vector<RedisServerState> states;
  for (const RedisEndpoint& endpoint : topology->Primaries()) {
    RedisServerState& state = states.emplace_back();
    state.server = endpoint.ToString();
    state.fit = Inspect(dialer, endpoint, state);
  }
  return states;
}

}  // namespace peiling::storage
