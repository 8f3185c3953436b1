// Reads HTTP/1.1 requests (RFC 9112), strictly: what two readers could understand in two ways is refused, so that nobody in between can be
// led to see other requests than this one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/gateway/http/http_message.h"

namespace peiling::gateway {

// One request. Not thread-safe.
class RequestParser {
 public:
  struct Limits {
    size_t max_head_bytes = 32 << 10;
    size_t max_target_bytes = 8 << 10;
    int max_headers = 100;
    // Of chunks and their extensions, before anything of the next chunk comes.
    size_t max_framing_bytes = 4 << 10;
  };

  explicit RequestParser(const Limits& limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Where the first head in `bytes` ends, npos when it has not ended yet.
  static size_t HeadEnd(std::string_view bytes);

  // Reads a whole head into `request`. Nullopt when it is one; else the answer to what it is instead, after which the connection is of no
  // more use: 400, 414, 431, 501 (encodings of transfer, CONNECT and TRACE), 505.
  std::optional<HttpResponse> ReadHead(std::string_view head, HttpRequest& request);

  // Whether the client wants the connection kept.
  bool keep_alive() const;
  // Of the body, as told; nullopt: not told.
  std::optional<uint64_t> content_length() const;
  // The body has ended, or there is none.
  bool done() const;
  // Adds what `bytes` have of the body to `body`, and tells how many of them it used: none of the next request. Nullopt when they are no
  // body. To be called until done, with what was left and something more.
  std::optional<size_t> ReadBody(std::string_view bytes, std::string& body);

 private:
  class Parser;
  const Limits limits_;
  const std::unique_ptr<Parser> parser_;
};

}  // namespace peiling::gateway
