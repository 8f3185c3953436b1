// Errors as HTTP shows them (RFC 9457): application/problem+json.
//
//   {"type": "urn:peiling:problem:etag-mismatch", "title": "…", "status": 412, "detail": "…", "instance": "urn:peiling:request:<id>",
//    "reason": "ETAG_MISMATCH", "metadata": {…}, "errors": [{"in": "body", "location": {"pointer": "#/response/lastSection"}, "detail":
//    "…"},
//    {"in": "body", "location": {"name": "Q1"}, "detail": "…"}, {"in": "query", "location": {"name": "questions", "index": 1}, "detail":
//    "…"}]}
//
// `reason` and `metadata` are those of the error's google.rpc.ErrorInfo, `errors` all violations of its google.rpc.BadRequest; members that
// would be empty are left out.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/gateway/http/http_message.h"
#include "services/gateway/http/http_rule.h"

namespace peiling::gateway {

inline constexpr char kProblemType[] = "application/problem+json";

// What goes with an HTTP status, in Dutch: "Niet gevonden".
std::string_view ProblemTitle(int status);

// The HTTP status of an error:
//   INVALID_ARGUMENT, OUT_OF_RANGE 400 · UNAUTHENTICATED 401 · PERMISSION_DENIED 403 · NOT_FOUND 404 · ALREADY_EXISTS, ABORTED,
//   FAILED_PRECONDITION 409 (ETAG_MISMATCH 412) · RESOURCE_EXHAUSTED 429 (503 when not the caller's own limit is reached) · CANCELLED 499 ·
//   UNIMPLEMENTED 501 (404 when nobody may call it) · UNAVAILABLE 503 · DEADLINE_EXCEEDED 504 · others 500.
int HttpStatusOf(const absl::Status& error);

// The document alone, as a stream ends with it. `route` names the fields as the request had them; null: as the error does.
std::string ProblemJson(const absl::Status& error, const HttpRoute* route, std::string_view request_id);

// The whole answer: Retry-After from the advice in the error, WWW-Authenticate with 401.
HttpResponse ProblemOf(const absl::Status& error, const HttpRoute* route, std::string_view request_id);

// An answer to what is no call yet: 404, 405 … `reason` in UPPER_SNAKE, as those of the services.
HttpResponse HttpProblem(int status, std::string_view reason, std::string_view detail);

}  // namespace peiling::gateway
