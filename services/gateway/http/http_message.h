// An HTTP request and its answer, as the parts of the gateway hand them to each other.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace peiling::gateway {

struct HttpRequest {
  // "GET"; of known methods and others.
  std::string verb;
  // As sent, without query: "/v1/surveys", "*".
  std::string path;
  // After the '?'.
  std::string query;
  // Of HTTP: 10 or 11.
  int version = 11;
  // Names in lower case, in the order they came.
  std::vector<std::pair<std::string, std::string>> headers;
  // A body follows (it may turn out to be empty).
  bool has_body = false;
  // Address of the client, as gRPC writes it: "ipv4:127.0.0.1:51234".
  std::string peer;
  // PEM of the client's certificate, of which TLS has seen that the client has its key; empty: none.
  std::string certificate;

  // Value of the header, several of the name joined with ", " (RFC 9110, 5.3); empty: none.
  std::string Header(std::string_view name) const;
  bool HasHeader(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  // Beside those of every answer (security, version) and those that follow from the body.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// One request, to be answered: by Answer, or by BeginStream, Write … and EndStream. Lives as long as somebody holds it. All of it belongs
// to one thread, on which everything it is given is called; Dispatch alone may be called from anywhere.
class Exchange {
 public:
  // A piece of the body; `ok` is false when it is over before its end: too slow, too long, broken off. The answer to that is given already.
  struct Piece {
    bool ok = false;
    bool last = false;
    std::string_view bytes;
  };

  virtual ~Exchange() = default;

  virtual const HttpRequest& request() const = 0;

  // Runs `work` on the exchange's thread: at once when that is this one.
  virtual void Dispatch(std::function<void()> work) = 0;
  // Says that anybody may ask this, to be called before any of the body is read: its body is small, comes as soon as a head has to, and its
  // connection makes room for others meanwhile.
  virtual void MakeOpen() = 0;
  // Gets the next piece of the body. Not to be called again before `done` was, nor after the last.
  virtual void ReadBody(std::function<void(Piece)> done) = 0;
  // Gets the whole body; `done` gets null when it is over before its end.
  virtual void ReadWholeBody(std::function<void(std::string*)> done) = 0;
  // Answers. Once the client is gone this and all below do nothing but call what they are given with false.
  virtual void Answer(HttpResponse response) = 0;
  // Begins an answer whose body comes in pieces; response.body is not used.
  virtual void BeginStream(HttpResponse head) = 0;
  // Writes a piece; `done` gets whether the client has taken it. Not to be called again before `done` was.
  virtual void Write(std::string bytes, std::function<void(bool ok)> done) = 0;
  virtual void EndStream() = 0;
  // Calls `gone` once when the client has gone before it was answered, or must be given up; replaces what was set before.
  virtual void OnGone(std::function<void()> gone) = 0;
  // Calls `tick` about every `seconds` until the answer has ended; replaces what was set before.
  virtual void Every(int seconds, std::function<void()> tick) = 0;
  // Headers of this exchange's answer, whatever it is.
  virtual void AddHeader(std::string name, std::string value) = 0;
};

// Answers a request, at once or later.
using HttpHandler = std::function<void(std::shared_ptr<Exchange>)>;

}  // namespace peiling::gateway
