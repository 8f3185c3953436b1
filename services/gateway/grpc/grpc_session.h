// A connection that gRPC calls come on: HTTP/2 by nghttp2, messages by their length, and giving up whoever takes too long.
//
// gRPC's own server is not used here: it costs the gateway twice as much a call (tests/bench/README.md), and the one of Debian 12 has open
// faults that anybody who can reach it could use (CVE-2023-4785, CVE-2023-33953, CVE-2023-44487).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "services/gateway/connections/connection_server.h"
#include "services/gateway/grpc/rpc_stream.h"

namespace peiling::gateway {

struct GrpcLimits {
  int64_t max_message_bytes = 4 << 20;
  int64_t max_metadata_bytes = 16 << 10;
  // Of one connection.
  uint32_t max_streams = 256;
  // Of what has come on all connections and is not read yet. Whoever sends more then is sent away.
  int64_t max_unread_bytes = 128 << 20;
  // How long a client may let itself be waited for; a second more for each of so many bytes that it is to take.
  std::chrono::milliseconds patience = std::chrono::seconds(120);
  int64_t least_bytes_per_second = 64 << 10;
  // Of calls that anybody may make.
  std::chrono::milliseconds open_patience = std::chrono::seconds(10);
  // From the connection to the first frame.
  std::chrono::milliseconds preface_time = std::chrono::seconds(10);
  // Without a call.
  std::chrono::milliseconds idle_time = std::chrono::minutes(2);
  // Clients look around for new gateways when their connection ends, so these are found this soon (give or take a tenth); calls under way
  // get the grace.
  std::chrono::milliseconds max_age = std::chrono::minutes(5);
  std::chrono::milliseconds max_age_grace = std::chrono::minutes(10);
  // A client that is silent for so long is asked whether it is there, and has so long to answer.
  std::chrono::milliseconds ping_after = std::chrono::seconds(60);
  std::chrono::milliseconds ping_time = std::chrono::seconds(20);
};

// What all connections of a listener share. Thread-safe.
struct GrpcShared {
  GrpcLimits limits;
  // Called on the connection's thread with each call; must not block.
  std::function<void(std::shared_ptr<RpcStream>)> handler;
  std::atomic<int64_t> unread_bytes{0};
};

// Waits when there is no call on it. Closing lets calls under way end; those that come then may be made again elsewhere.
std::shared_ptr<Session> MakeGrpcSession(std::unique_ptr<Transport> transport, std::shared_ptr<GrpcShared> shared,
                                         std::function<void(bool over)> changed);

}  // namespace peiling::gateway
