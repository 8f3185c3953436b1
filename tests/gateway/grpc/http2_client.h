// A client of HTTP/2 that sends frames as a test makes them, right or wrong, and keeps what comes back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/gateway/grpc/grpc_wire.h"

namespace peiling::gateway::http2 {

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kResetStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9
};
enum Flag : uint8_t { kNone = 0, kAck = 1, kEndStream = 1, kEndHeaders = 4 };
enum ErrorCode : uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kInternalError = 2,
  kFlowControlError = 3,
  kRefusedStream = 7,
  kCancel = 8,
  kEnhanceYourCalm = 11
};

inline constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload);
// Four bytes, as frames have numbers.
std::string Number(uint32_t number);
// A message as gRPC sends it, and those that stand in some bytes.
std::string Framed(std::string_view message);
std::vector<std::string> MessagesIn(std::string_view bytes);
// What a gRPC client begins a call with.
Headers CallHead(const std::string& method, const Headers& more = {});

// Writes heads, each depending on those before.
class HeadWriter {
 public:
  HeadWriter();
  ~HeadWriter();
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;

  // As HEADERS and CONTINUATION frames.
  std::string Write(uint32_t stream, const Headers& headers, bool end);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

// What has come on one stream.
struct Answer {
  Headers headers;
  Headers trailers;
  std::string data;
  bool ended = false;
  std::optional<uint32_t> reset;
  // What may still be sent.
  int64_t window = 65'535;

  // Of the headers or the trailers; "": none.
  std::string header(std::string_view name) const;
  std::string status() const { return header("grpc-status"); }
};

struct GoAway {
  uint32_t last;
  uint32_t code;
};

// One connection to a port of this machine, which has sent its preface and settings unless told otherwise. Frames are read while something
// is awaited. Not thread-safe.
class Client {
 public:
  explicit Client(int port, bool speaks = true);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // False once the other side has closed.
  bool Send(std::string_view bytes);
  // As much as the other side takes, until it takes nothing for a second: how much that is.
  size_t SendSome(std::string_view bytes);
  // Begins a call.
  uint32_t Call(const std::string& method, const Headers& more = {}, bool end = false) { return Open(CallHead(method, more), end); }
  uint32_t Open(const Headers& headers, bool end = false);
  // Whether or not there is a window for it.
  bool SendData(uint32_t stream, std::string_view bytes, bool end = false);
  bool Reset(uint32_t stream, uint32_t code = kCancel);
  bool OpenWindow(uint32_t stream, uint32_t bytes);
  // Closes without a word.
  void Close();

  // Reads until it holds; false when the connection ends before, or after 20 seconds.
  bool Await(const std::function<bool()>& holds);
  // Until the other side has answered a ping, so has seen all that was sent before.
  bool AwaitPong();
  bool AwaitEnd(uint32_t stream);
  // Until the other side has closed.
  bool AwaitClosed();

  const Answer& answer(uint32_t stream) { return answers_[stream]; }
  // Of stream 0 the window is the connection's.
  int64_t window(uint32_t stream) { return answers_[stream].window; }
  const std::vector<GoAway>& goaways() const { return goaways_; }
  int pings() const { return pings_; }
  int settings_acks() const { return settings_acks_; }
  bool closed() const { return closed_; }

  // What it does by itself.
  bool answers_pings = true;
  bool opens_windows = true;

 private:
  struct Inflater;

  // Reads what comes within a tenth of a second.
  void Read();
  void Take(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload);
  void TakeHead(uint32_t stream, std::string_view block, bool end);
  void OnClosed() { closed_ = true; }

  int socket_;
  bool closed_ = false;
  std::string in_;
  HeadWriter heads_;
  const std::unique_ptr<Inflater> inflater_;
  uint32_t last_stream_ = 0;
  std::map<uint32_t, Answer> answers_;
  std::vector<GoAway> goaways_;
  int pings_ = 0;
  int pongs_ = 0;
  int settings_acks_ = 0;
};

}  // namespace peiling::gateway::http2
