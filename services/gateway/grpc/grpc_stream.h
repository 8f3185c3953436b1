// A call, as a stream of an HTTP/2 connection.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/gateway/connections/transport.h"
#include "services/gateway/grpc/grpc_session.h"
#include "services/gateway/grpc/rpc_stream.h"

struct nghttp2_session;

namespace peiling::gateway {

class GrpcStream;

// What a stream needs of its connection. One thread's.
class GrpcConnection {
 public:
  virtual ~GrpcConnection() = default;

  virtual nghttp2_session* http2() = 0;
  virtual GrpcShared& shared() = 0;
  virtual Transport& transport() = 0;
  // Has what nghttp2 was given sent, together with what others give it meanwhile.
  virtual void FlushLater() = 0;
  // Has the stream's OnWritten called once what nghttp2 took of it is on its way.
  virtual void AddWritten(std::shared_ptr<GrpcStream> stream) = 0;
  // One more, or one less, call that it is at work for.
  virtual void CountCall(int change) = 0;
  // So much more, or less, memory for what has come and is not read.
  virtual void Hold(int64_t bytes) = 0;
};

// All on its connection's thread.
class GrpcStream final : public RpcStream, public std::enable_shared_from_this<GrpcStream> {
 public:
  GrpcStream(std::shared_ptr<GrpcConnection> connection, int32_t id, int64_t max_message_bytes)
      : connection_(std::move(connection)), id_(id), max_message_bytes_(max_message_bytes) {}
  ~GrpcStream() override { Hold(-held_); }

  // RpcStream.

  const RpcHead& head() const override { return head_; }
  void Dispatch(std::function<void()> work) override;
  void Read(std::function<void(absl::StatusOr<std::optional<grpc::ByteBuffer>>)> done) override {
    if (closed_) return;
    read_done_ = std::move(done);
    read_since_ = std::chrono::steady_clock::now();
    Deliver();
  }
  void SendHeaders(const Headers& headers) override;
  void Write(const grpc::ByteBuffer& message, std::function<void()> done) override;
  void Finish(const grpc::Status& status, const Headers& trailers, std::function<void()> over) override;
  void Reset() override;
  void MakeOpen() override;
  void OnGone(std::function<void()> gone) override {
    if (!closed_) gone_ = std::move(gone);
  }
  void OnOverdue(std::function<void(bool)> overdue) override {
    if (!closed_) overdue_ = std::move(overdue);
  }

  // For the connection.

  // False: it is so much that the rest need not be looked at.
  bool AddHeader(std::string_view name, std::string_view value);
  // All headers are there.
  void OnHead(const GrpcShared& shared);
  void OnData(std::string_view bytes);
  // The client has sent its last.
  void OnEnd() {
    ended_ = true;
    Deliver();
  }
  // Gives nghttp2 what is to be sent next.
  ssize_t Fill(uint8_t* to, size_t size, uint32_t* flags);
  void OnTrailersSent();
  // They are too large for nghttp2: without them the client would wait for ever.
  void OnHeadersNotSent();
  // What Fill gave is sent, as far as it was whole.
  void OnWritten() {
    if (auto done = std::exchange(write_done_, nullptr)) done();
  }
  // False: its client has taken too long to say even what it wants.
  bool OnTick(std::chrono::steady_clock::time_point now, const GrpcLimits& limits);
  // It is over, for one reason or another.
  void Close();

 private:
  bool AddMetadata(std::string_view name, std::string_view value);
  // Hands over the next message if somebody waits for it and it is there.
  void Deliver();
  // nullopt: it is not there yet.
  std::optional<absl::StatusOr<std::optional<grpc::ByteBuffer>>> Next();
  // The next bytes of what has come.
  std::string Take(size_t size);
  // The client may send as much more as it has sent, since somebody waits for it.
  void Consume(size_t kept = 0);
  void Hold(int64_t bytes);
  // Drops what is not read.
  void Forget() {
    Hold(-static_cast<int64_t>(in_.size() - std::exchange(in_begin_, 0)));
    in_ = {};
  }
  bool HasToSend() const { return sent_slices_ < out_.size(); }
  // Refuses what is no call, in HTTP's words.
  void RefuseHttp(const char* status);
  // In gRPC's.
  void RefuseHead(absl::StatusCode code, const std::string& reason, const std::string& why);
  void Resume();

  void Check(std::chrono::steady_clock::time_point now, const GrpcLimits& limits);

  const std::shared_ptr<GrpcConnection> connection_;
  const int32_t id_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  RpcHead head_;
  // What it holds of the memory for all.
  int64_t held_ = 0;
  int64_t max_message_bytes_;
  bool open_ = false;
  bool arrived_ = false;
  // As a call that its connection is at work for.
  bool counted_ = false;
  bool reset_ = false;
  bool closed_ = false;
  std::function<void()> gone_;
  std::function<void(bool)> overdue_;

  // The head, while it comes.
  int64_t head_bytes_ = 0;
  std::string verb_;
  std::string content_type_;
  std::string encoding_;
  std::string timeout_;
  bool malformed_ = false;

  // Messages of the client: what has come, and is not read from `in_begin_` on.
  std::string in_;
  size_t in_begin_ = 0;
  size_t unconsumed_ = 0;
  bool ended_ = false;
  std::function<void(absl::StatusOr<std::optional<grpc::ByteBuffer>>)> read_done_;
  std::chrono::steady_clock::time_point read_since_{};

  // Messages to the client.
  bool headers_sent_ = false;
  std::vector<grpc::Slice> out_;
  size_t sent_slices_ = 0;
  size_t sent_bytes_ = 0;
  std::function<void()> write_done_;
  std::chrono::steady_clock::time_point write_since_{};
  int64_t write_bytes_ = 0;
  std::optional<Headers> trailers_;
  std::function<void()> over_;
};

}  // namespace peiling::gateway
