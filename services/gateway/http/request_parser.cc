// Beast 1.74 asserts that the last chunk comes in one piece; it reads it well when it does not.
#define BOOST_DISABLE_ASSERTS

#include "services/gateway/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "services/gateway/http/problem.h"

namespace peiling::gateway {
namespace {

namespace http = boost::beast::http;
using Error = boost::beast::error_code;

constexpr std::string_view kEndOfHead = "\r\n\r\n";

HttpResponse Malformed(std::string_view what) { return HttpProblem(400, "REQUEST_MALFORMED", what); }

// What Beast lets pass: lines that go on in the next, line ends of one character, control characters.
bool IsPlain(std::string_view head) {
  for (size_t i = 0; i < head.size(); ++i) {
    const auto c = static_cast<unsigned char>(head[i]);
    if (c == '\r') {
      if (i + 1 == head.size() || head[i + 1] != '\n') return false;
      if (i + 2 < head.size() && (head[i + 2] == ' ' || head[i + 2] == '\t')) return false;
    } else if (c == '\n') {
      if (i == 0 || head[i - 1] != '\r') return false;
    } else if (c == 0x7f || (c < 0x20 && c != '\t')) {
      return false;
    }
  }
  return true;
}

// "/path?query", "*", or with the scheme and host that a request to a proxy has.
bool SplitTarget(std::string_view target, HttpRequest& request) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(std::min(target.find_first_of("/?", scheme.size()), target.size()));
    if (target.empty() || target.front() == '?') return false;
    break;
  }
  if (target != "*" && !target.starts_with('/')) return false;
  if (std::any_of(target.begin(), target.end(), [](char c) { return c == '#' || c == '\\' || (c & 0x80) != 0; })) return false;
  const size_t question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  request.query = target.substr(std::min(question + 1, target.size()));
  return true;
}

int CountOf(const HttpRequest& request, std::string_view name) {
  return static_cast<int>(
      std::count_if(request.headers.begin(), request.headers.end(), [&](const auto& header) { return header.first == name; }));
}

}  // namespace

class RequestParser::Parser final : public http::basic_parser<true> {
 public:
  HttpRequest* request = nullptr;
  std::string* body = nullptr;
  std::string target;

 private:
  using View = boost::beast::string_view;

  void on_request_impl(http::verb, View verb, View sent_target, int version, Error&) override {
    request->verb = {verb.data(), verb.size()};
    request->version = version;
    target = {sent_target.data(), sent_target.size()};
  }
  void on_response_impl(int, View, int, Error&) override {}
  void on_field_impl(http::field, View name, View value, Error&) override {
    // Trailers are of no use to anybody here.
    if (!is_header_done())
      request->headers.emplace_back(absl::AsciiStrToLower({name.data(), name.size()}), std::string(value.data(), value.size()));
  }
  void on_header_impl(Error&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, Error&) override {}
  size_t on_body_impl(View bytes, Error&) override {
    body->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t, View, Error&) override {}
  size_t on_chunk_body_impl(uint64_t, View bytes, Error&) override {
    body->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(Error&) override {}
};

RequestParser::RequestParser(const Limits& limits) : limits_(limits), parser_(std::make_unique<Parser>()) {
  parser_->header_limit(static_cast<uint32_t>(limits.max_head_bytes));
  // Whoever reads the body knows how much of it may come. (Of boost::none, Boost 1.74 holds that every length is more.)
  parser_->body_limit(std::numeric_limits<uint64_t>::max());
}

RequestParser::~RequestParser() = default;

size_t RequestParser::HeadEnd(std::string_view bytes) {
  const size_t end = bytes.find(kEndOfHead);
  return end == bytes.npos ? end : end + kEndOfHead.size();
}

std::optional<HttpResponse> RequestParser::ReadHead(std::string_view head, HttpRequest& request) {
  if (!IsPlain(head)) return Malformed("the head of the request has characters that none may have");
  parser_->request = &request;
  Error error;
  parser_->put(boost::asio::const_buffer(head.data(), head.size()), error);
  if (error == http::error::bad_version) return HttpProblem(505, "HTTP_VERSION_UNKNOWN", "HTTP/1.0 and HTTP/1.1 are spoken here");
  if (error == http::error::header_limit) return HttpProblem(431, "HEADERS_TOO_LARGE", "the head of the request is too large");
  if (error == http::error::bad_transfer_encoding || error == http::error::bad_content_length) {
    return Malformed("it cannot be told where the body of the request ends");
  }
  if (error || !parser_->is_header_done()) return Malformed("the head of the request is none of HTTP");
  if (parser_->target.size() > limits_.max_target_bytes) return HttpProblem(414, "TARGET_TOO_LONG", "the path with its query is too long");
  if (request.headers.size() > static_cast<size_t>(limits_.max_headers)) {
    return HttpProblem(431, "TOO_MANY_HEADERS", "the request has too many headers");
  }
  if (request.version != 10 && request.version != 11)
    return HttpProblem(505, "HTTP_VERSION_UNKNOWN", "HTTP/1.0 and HTTP/1.1 are spoken here");
  if (request.verb == "CONNECT" || request.verb == "TRACE") return HttpProblem(501, "METHOD_UNKNOWN", "this method is not spoken here");
  if (!SplitTarget(parser_->target, request)) return Malformed("the request is for nothing that can be here");
  const int hosts = CountOf(request, "host");
  if (hosts > 1 || (hosts == 0 && request.version == 11)) return Malformed("want one header Host");
  const int encodings = CountOf(request, "transfer-encoding");
  const int lengths = CountOf(request, "content-length");
  if (encodings + lengths > 1 || (encodings > 0 && request.version == 10) ||
      request.Header("content-length").find(',') != std::string::npos) {
    return Malformed("it cannot be told where the body of the request ends");
  }
  if (encodings == 1 && !absl::EqualsIgnoreCase(request.Header("transfer-encoding"), "chunked")) {
    return HttpProblem(501, "TRANSFER_ENCODING_UNKNOWN", "want chunked or no transfer encoding");
  }
  request.has_body = !parser_->is_done();
  return std::nullopt;
}

bool RequestParser::keep_alive() const { return parser_->keep_alive() && parser_->request->version == 11; }

std::optional<uint64_t> RequestParser::content_length() const {
  const auto length = parser_->content_length();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}

bool RequestParser::done() const { return parser_->is_done(); }

std::optional<size_t> RequestParser::ReadBody(std::string_view bytes, std::string& body) {
  parser_->body = &body;
  size_t used = 0;
  while (!parser_->is_done() && used < bytes.size()) {
    Error error;
    const size_t taken = parser_->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    used += taken;
    if (error == http::error::need_more) {
      if (bytes.size() - used > limits_.max_framing_bytes) return std::nullopt;
      break;
    }
    if (error) return std::nullopt;
  }
  return used;
}

}  // namespace peiling::gateway
