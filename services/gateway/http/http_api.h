// The HTTP/JSON API: every request that comes in, and what becomes of it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "services/gateway/door.h"
#include "services/gateway/http/http_message.h"
#include "services/gateway/http/http_rule.h"

namespace peiling::gateway {

struct HttpApiOptions {
  // Origins ("https://dashboard.vng.nl") whose pages may use the API in a browser.
  std::vector<std::string> cors_origins;
  // Not a flag of its own: set from --insecure. Answers only who asks for this machine by one of its own names: a page in a browser can
  // have the name of its own server lead here (DNS rebinding), and then do all that a caller without credentials may.
  bool loopback_hosts_only = false;
};

// Calls RPCs as their annotations say. Unary ones are answered with application/json; streams with application/x-ndjson (one message a
// line), or when the client likes that more text/event-stream, whose ids are the feed's sequences: Last-Event-ID goes before afterSequence.
// Streams of requests are bodies of application/x-ndjson, of which what the path says holds for the first line. An error after the first
// piece of an answer is its last line, or an event named "problem".
// ETag, of GET; If-Match goes into the field etag of the request or of what is its body, and is refused where there is none; If-None-Match,
// of GET. Where no credential is needed a body may be a form, too, and is small. Where one unsubscribes GET is a page for people, and
// browsers get pages as answers (unsubscribe_page.h). HEAD as GET without a body; OPTIONS names the methods. /v1/openapi.json is there for
// everybody. Thread-safe.
class HttpApi {
 public:
  // `door` and `document` must outlive the API. The errors of HttpRules; INVALID_ARGUMENT/CORS_ORIGIN_INVALID.
  static absl::StatusOr<std::unique_ptr<HttpApi>> Make(Door& door, const std::vector<const google::protobuf::ServiceDescriptor*>& services,
                                                       std::string_view document, HttpApiOptions options);

  // The HttpHandler.
  void Handle(const std::shared_ptr<Exchange>& exchange) const;

 private:
  HttpApi(Door& door, HttpRules rules, std::string_view document, HttpApiOptions options);

  // Whether GET is a page there.
  bool HasPage(std::string_view path) const;
  // Methods that are answered at a path, without HEAD and OPTIONS.
  std::vector<std::string> VerbsAt(std::string_view path) const;
  void AddCorsHeaders(Exchange& exchange) const;
  HttpResponse AnswerOptions(const HttpRequest& request) const;
  HttpResponse AnswerDocument(Exchange& exchange) const;
  void Call(const std::shared_ptr<Exchange>& exchange, HttpRules::Match match, std::string request_id) const;

  Door& door_;
  const HttpRules rules_;
  const std::string_view document_;
  const std::string compressed_document_;
  const HttpApiOptions options_;
};

}  // namespace peiling::gateway
