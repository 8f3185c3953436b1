#include "services/gateway/http/http_api.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/server/listen.h"
#include "services/common/status/errors.h"
#include "services/gateway/http/gzip.h"
#include "services/gateway/http/http_call.h"
#include "services/gateway/http/negotiation.h"
#include "services/gateway/http/problem.h"
#include "services/gateway/http/unsubscribe_page.h"

namespace peiling::gateway {
namespace {

constexpr char kDocumentPath[] = "/v1/openapi.json";
constexpr char kRequestIdHeader[] = "X-Request-Id";

// With HEAD, which is answered where GET is, and OPTIONS, which is answered everywhere.
std::string AllowOf(std::vector<std::string> verbs) {
  const auto get = std::find(verbs.begin(), verbs.end(), "GET");
  if (get != verbs.end()) verbs.insert(get + 1, "HEAD");
  verbs.emplace_back("OPTIONS");
  return absl::StrJoin(verbs, ", ");
}

HttpResponse NotFound() { return HttpProblem(404, "PATH_UNKNOWN", "there is nothing at this path"); }

HttpResponse NotAllowed(const std::vector<std::string>& verbs) {
  HttpResponse response = HttpProblem(405, "METHOD_NOT_ALLOWED", "want one of the methods in the header Allow");
  response.headers.emplace_back("Allow", AllowOf(verbs));
  return response;
}

std::vector<std::string> TypesOf(const HttpRoute& route) {
  if (IsUnsubscription(route)) return {kJsonType, kHtmlType};
  if (!route.method->server_streaming()) return {kJsonType};
  return {kNdjsonType, kEventsType};
}

// How the body is written, when it is a form that may be one.
std::optional<FormEncoding> FormOf(const HttpRoute& route, const HttpRequest& request) {
  return TakesForm(route) ? FormEncodingOf(request.Header("content-type")) : std::nullopt;
}

// What is wrong with the body's headers; nullopt when nothing is.
std::optional<HttpResponse> CheckBody(const HttpRoute& route, const HttpRequest& request) {
  if (!request.has_body) return std::nullopt;
  if (!route.whole_body && route.body_field == nullptr) return HttpProblem(400, "BODY_UNEXPECTED", "no body is wanted here");
  const std::string encoding = request.Header("content-encoding");
  if (!encoding.empty() && encoding != "identity") {
    HttpResponse response = HttpProblem(415, "CONTENT_ENCODING_UNKNOWN", "want a body that is not compressed");
    response.headers.emplace_back("Accept-Encoding", "identity");
    return response;
  }
  const char* const type = route.method->client_streaming() ? kNdjsonType : kJsonType;
  if (IsOfType(request.Header("content-type"), type) || FormOf(route, request)) return std::nullopt;
  return HttpProblem(415, "CONTENT_TYPE_UNKNOWN", absl::StrCat("want Content-Type: ", type, ", in UTF-8"));
}

// Reads what is asked on conditions; the error when it cannot be honoured here.
absl::Status ReadConditions(const HttpRequest& request, HttpCall& call) {
  if (request.HasHeader("if-match")) {
    if (!TakesEtag(call.route())) {
      return status::Error(absl::StatusCode::kInvalidArgument, "IF_MATCH_UNSUPPORTED", "If-Match: cannot be honoured here");
    }
    absl::StatusOr<std::optional<std::string>> etag = ReadIfMatch(request.Header("if-match"));
    if (!etag.ok()) return etag.status();
    call.etag = *std::move(etag);
  }
  if (call.type == kEventsType && request.HasHeader("last-event-id") && TakesAfterSequence(call.route())) {
    call.after_sequence = request.Header("last-event-id");
  }
  return absl::OkStatus();
}

tracing::Span BeginSpan(const HttpRequest& request, const HttpRoute& route) {
  if (!tracing::Enabled()) return {};
  const auto parent = tracing::ParseTraceContext(request.Header(tracing::kTraceparent), request.Header(tracing::kTracestate));
  tracing::Span span =
      tracing::Span::Start(absl::StrCat(route.verb, " ", route.path_template), tracing::Kind::kServer, parent ? &*parent : nullptr);
  span.Set("http.request.method", request.verb);
  span.Set("http.route", route.path_template);
  return span;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpApi>> HttpApi::Make(Door& door, const std::vector<const google::protobuf::ServiceDescriptor*>& services,
                                                       std::string_view document, HttpApiOptions options) {
  absl::StatusOr<HttpRules> rules = HttpRules::Of(services);
  if (!rules.ok()) return rules.status();
  for (const std::string& origin : options.cors_origins) {
    const size_t host = origin.find("://");
    if (host == 0 || host == std::string::npos || host + 3 == origin.size() || origin.find('/', host + 3) != std::string::npos) {
      return status::Error(absl::StatusCode::kInvalidArgument, "CORS_ORIGIN_INVALID",
                           absl::StrCat("\"", origin, "\" is no origin, want one as https://dashboard.example.nl"));
    }
  }
  return std::unique_ptr<HttpApi>(new HttpApi(door, *std::move(rules), document, std::move(options)));
}

HttpApi::HttpApi(Door& door, HttpRules rules, std::string_view document, HttpApiOptions options)
    : door_(door), rules_(std::move(rules)), document_(document), compressed_document_(Gzip(document)), options_(std::move(options)) {}

void HttpApi::Handle(const std::shared_ptr<Exchange>& exchange) const {
  const HttpRequest& request = exchange->request();
  std::string request_id = RequestIdFor(request.Header("x-request-id"));
  exchange->AddHeader(kRequestIdHeader, request_id);
  if (options_.loopback_hosts_only && !server::IsLoopback(request.Header("host"))) {
    return exchange->Answer(HttpProblem(403, "HOST_NOT_ALLOWED", "with --insecure, want Host: localhost or an address of loopback"));
  }
  const bool is_document = request.path == kDocumentPath;
  if (is_document) {
    exchange->AddHeader("Access-Control-Allow-Origin", "*");
  } else {
    AddCorsHeaders(*exchange);
  }
  if (request.verb == "OPTIONS") return exchange->Answer(AnswerOptions(request));
  if (is_document) return exchange->Answer(AnswerDocument(*exchange));
  HttpRules::Match match = rules_.Find(request.verb == "HEAD" ? "GET" : request.verb, request.path);
  if (match.route != nullptr) return Call(exchange, std::move(match), std::move(request_id));
  if ((request.verb == "GET" || request.verb == "HEAD") && HasPage(request.path)) return exchange->Answer(UnsubscribePage());
  exchange->Answer(match.allowed.empty() ? NotFound() : NotAllowed(VerbsAt(request.path)));
}

bool HttpApi::HasPage(std::string_view path) const {
  const HttpRules::Match match = rules_.Find("POST", path);
  return match.route != nullptr && IsUnsubscription(*match.route);
}

std::vector<std::string> HttpApi::VerbsAt(std::string_view path) const {
  if (path == kDocumentPath) return {"GET"};
  // No method is called so.
  std::vector<std::string> verbs = rules_.Find("", path).allowed;
  if (HasPage(path)) verbs.insert(verbs.begin(), "GET");
  return verbs;
}

void HttpApi::AddCorsHeaders(Exchange& exchange) const {
  if (options_.cors_origins.empty()) return;
  exchange.AddHeader("Vary", "Origin");
  const std::string origin = exchange.request().Header("origin");
  if (std::find(options_.cors_origins.begin(), options_.cors_origins.end(), origin) == options_.cors_origins.end()) return;
  exchange.AddHeader("Access-Control-Allow-Origin", origin);
  exchange.AddHeader("Access-Control-Expose-Headers", "API-Version, ETag, Retry-After, X-Request-Id");
}

HttpResponse HttpApi::AnswerOptions(const HttpRequest& request) const {
  std::vector<std::string> verbs = VerbsAt(request.path);
  if (request.path == "*") verbs = {"GET", "POST"};
  if (verbs.empty()) return NotFound();
  const std::string allow = AllowOf(verbs);
  HttpResponse response{204, {{"Allow", allow}}, ""};
  if (!request.HasHeader("access-control-request-method")) return response;
  response.headers.emplace_back("Access-Control-Allow-Methods", allow);
  response.headers.emplace_back(
      "Access-Control-Allow-Headers",
      "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, Traceparent, Tracestate, X-Request-Id");
  response.headers.emplace_back("Access-Control-Max-Age", "3600");
  return response;
}

HttpResponse HttpApi::AnswerDocument(Exchange& exchange) const {
  const HttpRequest& request = exchange.request();
  if (request.verb != "GET" && request.verb != "HEAD") return NotAllowed({"GET"});
  if (PreferredType(request.Header("accept"), {kJsonType}).empty()) {
    return HttpProblem(406, "ACCEPT_UNKNOWN", absl::StrCat("want Accept: ", kJsonType));
  }
  HttpResponse response{200, {{"Content-Type", kJsonType}, {"Vary", "Accept-Encoding"}}, ""};
  if (TakesGzip(request.Header("accept-encoding"))) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = compressed_document_;
  } else {
    response.body = document_;
  }
  return response;
}

void HttpApi::Call(const std::shared_ptr<Exchange>& exchange, HttpRules::Match match, std::string request_id) const {
  const HttpRequest& request = exchange->request();
  const HttpRoute& route = *match.route;
  HttpCall call{exchange, &door_, std::move(match), std::move(request_id)};
  call.type = PreferredType(request.Header("accept"), TypesOf(route));
  if (call.type.empty()) {
    return exchange->Answer(HttpProblem(406, "ACCEPT_UNKNOWN", absl::StrCat("want Accept: ", absl::StrJoin(TypesOf(route), " or "))));
  }
  if (std::optional<HttpResponse> wrong = CheckBody(route, request)) return exchange->Answer(*std::move(wrong));
  if (absl::Status read = ReadConditions(request, call); !read.ok()) return exchange->Answer(ProblemOf(read, &route, call.request_id));
  if (IsOpen(route)) exchange->MakeOpen();
  call.form = FormOf(route, request);
  call.gzip = TakesGzip(request.Header("accept-encoding"));
  call.span = BeginSpan(request, route);
  if (route.method->client_streaming() || route.method->server_streaming()) return StartStreamCall(std::move(call));
  StartUnaryCall(std::move(call));
}

}  // namespace peiling::gateway
