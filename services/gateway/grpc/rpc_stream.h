// One gRPC call as its server sees it, whatever carries it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/status.h"
#include "services/gateway/grpc/grpc_wire.h"

namespace peiling::gateway {

// What a call begins with.
struct RpcHead {
  // "/peiling.intake.v1.IntakeService/GetWave".
  std::string method;
  // All but the names that HTTP/2 and gRPC have for themselves.
  Headers metadata;
  // From its arrival.
  std::optional<std::chrono::nanoseconds> timeout;
  std::chrono::steady_clock::time_point arrived;
  // As gRPC writes it: "ipv4:127.0.0.1:51234".
  std::string peer;
  // PEM of what the client has shown; empty: nothing.
  std::string certificate;
};

// All on its connection's thread, on which what it is given is called. Dispatch and head alone may be called from anywhere. Once the call
// is over, what it is told does nothing and what it was given is forgotten.
class RpcStream {
 public:
  virtual ~RpcStream() = default;

  virtual const RpcHead& head() const = 0;
  // Runs `work` on the connection's thread: at once when that is this one.
  virtual void Dispatch(std::function<void()> work) = 0;

  // The next message, when it is there whole; nullopt: the client has said its last. An error when it is no message
  // (INTERNAL/MESSAGE_INCOMPLETE), larger than may be (RESOURCE_EXHAUSTED/MESSAGE_TOO_LARGE) or compressed
  // (UNIMPLEMENTED/COMPRESSION_UNSUPPORTED): the call is to be finished with it. One at a time; `done` may be called from within.
  virtual void Read(std::function<void(absl::StatusOr<std::optional<grpc::ByteBuffer>>)> done) = 0;

  // What the answer begins with, at once; without it, Write and Finish begin with these alone.
  virtual void SendHeaders(const Headers& headers) = 0;
  // `done` is called when the client has room for it: the next one may come. One at a time.
  virtual void Write(const grpc::ByteBuffer& message, std::function<void()> done) = 0;
  // Ends the call, after what was written. `over` is called when the client has room for all, or is gone.
  virtual void Finish(const grpc::Status& status, const Headers& trailers, std::function<void()> over) = 0;
  // Ends it without a word.
  virtual void Reset() = 0;

  // Says that anybody may make it: its messages are small, what it asks comes soon, and its connection makes room for others all the same.
  virtual void MakeOpen() = 0;
  // Calls `gone` when the client is, before Finish.
  virtual void OnGone(std::function<void()> gone) = 0;
  // Calls `overdue`, again and again, while the client lets itself be waited for for too long: to send a message, be it only
  // until its own deadline, or, with true, to take one.
  virtual void OnOverdue(std::function<void(bool writing)> overdue) = 0;
};

}  // namespace peiling::gateway
