#include "services/ctl/commands/doctor_store.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <map>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "services/common/status/errors.h"
#include "services/common/storage/redis_address.h"
#include "services/common/storage/redis_inspect.h"

namespace peiling::ctl {
namespace {

// Part of maxmemory in use from which it is time for more.
constexpr double kNotableMemory = 0.8;
constexpr double kNotableSkew = 2;
constexpr std::chrono::milliseconds kNotableRoundTrip(50);

// What to do about a server that is not fit, by the reason a store gives.
std::string Remedy(const absl::Status& error) {
  static const auto& remedies = *new std::map<std::string, std::string>{
      {"STORAGE_UNAVAILABLE", "is it running, and does the network let this machine through? k8s/runbooks/failover.md"},
      {"STORAGE_READ_ONLY", "give the address of the primary, or of the Sentinels (redis+sentinel://…)"},
      {"STORAGE_ACCESS", "check user, password file, certificates and the rights of the user; k8s/runbooks/key-rotation.md"},
      {"STORAGE_EVICTS", "CONFIG SET maxmemory-policy noeviction, and in its configuration"},
      {"STORAGE_NOT_DURABLE", "CONFIG SET appendonly yes and appendfsync always, and in its configuration"},
      {"STORAGE_NOT_REPLICATED", "start the replicas that are missing; until then nothing is acknowledged. k8s/runbooks/failover.md"},
      {"STORAGE_FULL", "give it more maxmemory, and its machine the memory; deploy/observability/runbooks/store.md"},
      {"STORAGE_VERSION", "want Redis 7 or later"},
      {"STORAGE_ADDRESS", "see the addresses of stores in deploy/README.md"},
  };
  const auto found = remedies.find(status::Reason(error));
  return found == remedies.end() ? "see its log" : found->second;
}

// A field of INFO; "" when there is none.
std::string Field(const storage::RedisServerState& state, const std::string& name) {
  const auto found = state.info.find(name);
  return found == state.info.end() ? "" : found->second;
}

double Number(const storage::RedisServerState& state, const std::string& name) {
  double number = 0;
  return absl::SimpleAtod(Field(state, name), &number) ? number : 0;
}

void CheckPersistence(const storage::RedisServerState& state, const std::string& subject, Findings& findings) {
  if (const std::string written = Field(state, "aof_last_write_status"); !written.empty() && written != "ok") {
    findings.Wrong(subject, "the last write to its append-only file failed",
                   "its disk is full or broken: see its log; it refuses writes until then");
  }
  if (const std::string rewritten = Field(state, "aof_last_bgrewrite_status"); !rewritten.empty() && rewritten != "ok") {
    findings.Warn(subject, "the last rewrite of its append-only file failed", "it needs memory and disk for a second copy: see its log");
  }
  if (const std::string saved = Field(state, "rdb_last_bgsave_status"); !saved.empty() && saved != "ok") {
    findings.Warn(subject, "its last snapshot failed", "see its log; with stop-writes-on-bgsave-error it refuses writes");
  }
}

void CheckLoad(const storage::RedisServerState& state, const std::string& subject, Findings& findings) {
  const double used = Number(state, "used_memory"), most = Number(state, "maxmemory");
  if (most == 0) {
    findings.Warn(subject, absl::StrFormat("uses %.0f MiB, and maxmemory has no bound", used / (1 << 20)),
                  "set maxmemory below the machine's memory, so that it refuses writes instead of being killed");
  } else if (used / most > kNotableMemory) {
    findings.Warn(subject, absl::StrFormat("uses %.0f%% of its maxmemory", 100 * used / most), "deploy/observability/runbooks/store.md");
  }
  if (state.round_trip > kNotableRoundTrip) {
    findings.Warn(subject, absl::StrCat("took ", state.round_trip.count(), " ms to answer"), "deploy/observability/runbooks/store.md");
  }
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double apart = now - Number(state, "server_time_usec") / 1e6;
  if (!Field(state, "server_time_usec").empty() && std::abs(apart) > kNotableSkew + static_cast<double>(state.round_trip.count()) / 1000) {
    findings.Warn(subject, absl::StrFormat("its clock is %.1f s %s this machine's", std::abs(apart), apart > 0 ? "behind" : "ahead of"),
                  "let all machines take the time from one source (NTP)");
  }
}

void CheckServer(const storage::RedisServerState& state, Findings& findings) {
  const std::string subject = absl::StrCat("store ", state.server);
  if (!state.fit.ok()) {
    findings.Wrong(subject, std::string(state.fit.message()), Remedy(state.fit));
  } else {
    findings.Well(subject, absl::StrCat("Redis ", Field(state, "redis_version"), ", ", Field(state, "role"), " with ",
                                        Field(state, "connected_slaves"), " replicas, keeps what it acknowledges"));
  }
  if (state.info.empty()) return;
  CheckPersistence(state, subject, findings);
  CheckLoad(state, subject, findings);
}

void CheckFile(const std::string& address, Findings& findings) {
  const std::string path(absl::StripPrefix(address, "sqlite:"));
  const std::string subject = absl::StrCat("store ", path);
  if (access(path.c_str(), F_OK) != 0) {
    findings.Wrong(subject, "there is no such file", "the service makes it when it starts; is this its --store?");
  } else if (access(path.c_str(), R_OK | W_OK) != 0) {
    findings.Wrong(subject, "it cannot be read and written by this user", "give the service's user both rights");
  } else {
    findings.Well(subject, "can be read and written");
  }
}

}  // namespace

void CheckStore(const std::string& address, Findings& findings) {
  if (!storage::IsRedisAddress(address)) return CheckFile(address, findings);
  const auto states = storage::InspectRedis(address);
  if (!states.ok()) return findings.Wrong("store", std::string(states.status().message()), Remedy(states.status()));
  for (const auto& state : *states) CheckServer(state, findings);
}

}  // namespace peiling::ctl
