// A connection that requests come on, one after another: reads them, hands them on, writes the answers, and gives up whoever takes too
// long.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "services/gateway/connections/connection_server.h"
#include "services/gateway/http/http_message.h"
#include "services/gateway/http/request_parser.h"

namespace peiling::gateway {

struct SessionLimits {
  RequestParser::Limits parser;
  // Of a body that is read whole; longer ones get 413.
  size_t max_body_bytes = 8 << 20;
  // The same, of what anybody may ask.
  size_t max_open_body_bytes = 64 << 10;
  // From the connection, or the first byte of a request, to the end of its head; of what anybody may ask, to the end of its body.
  std::chrono::milliseconds head_time{10'000};
  // Between requests.
  std::chrono::milliseconds idle_time{75'000};
  // A client may take this long, and a second for each of these many bytes more, to send a body or to take an answer.
  std::chrono::milliseconds patience{15'000};
  int64_t least_bytes_per_second = 4096;
  // How long a connection that is to be closed is still read from, so that its client gets to see the answer.
  std::chrono::milliseconds linger_time{2'000};
};

// Of an HTTP/1.1 connection: it waits when none of a request has been read whole, of what anybody may ask with its body. Closing breaks off
// a stream or body that would go on. `handler` is called with each request.
std::shared_ptr<Session> MakeHttpSession(std::unique_ptr<Transport> transport, const SessionLimits& limits, HttpHandler handler,
                                         std::function<void(bool over)> changed);

}  // namespace peiling::gateway
