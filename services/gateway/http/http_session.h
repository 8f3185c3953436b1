// A connection that requests come on, one after another: reads them, hands them on, writes the answers, and gives up whoever takes too
// long.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "services/gateway/http/http_message.h"
#include "services/gateway/http/request_parser.h"
#include "services/gateway/http/transport.h"

namespace peiling::gateway {

struct SessionLimits {
  RequestParser::Limits parser;
  // Of a body that is read whole; longer ones get 413.
  size_t max_body_bytes = 8 << 20;
  // From the connection, or the first byte of a request, to the end of its head.
  std::chrono::milliseconds head_time{10'000};
  // Between requests.
  std::chrono::milliseconds idle_time{75'000};
  // A client may take this long, and a second for each of these many bytes more, to send a body or to take an answer.
  std::chrono::milliseconds patience{15'000};
  int64_t least_bytes_per_second = 4096;
  // How long a connection that is to be closed is still read from, so that its client gets to see the answer.
  std::chrono::milliseconds linger_time{2'000};
};

// One thread's. Lives until its connection is over and nobody holds an exchange of it.
class HttpSession {
 public:
  virtual ~HttpSession() = default;

  virtual void Start() = 0;
  // Whether it waits for a request, none of which has been read whole.
  virtual bool waiting() const = 0;
  // Ends it: at once when it waits, else after the answer under way; a stream or body that would go on is broken off.
  virtual void Close() = 0;
  // Ends it at once; its client is gone to whoever answers.
  virtual void Abort() = 0;
};

// `handler` is called with each request. `changed` is called whenever waiting() may be another and when the connection is over (with
// true), on its thread.
std::shared_ptr<HttpSession> MakeHttpSession(std::unique_ptr<Transport> transport, const SessionLimits& limits, HttpHandler handler,
                                             std::function<void(bool over)> changed);

}  // namespace peiling::gateway
