// Errors as HTTP shows them.
#include "services/gateway/http/problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peiling/intake/v1/intake.pb.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

using ::testing::Contains;
using ::testing::Pair;

TEST(Problem, StatusOfEveryCode) {
  struct Case {
    absl::StatusCode code;
    const char* reason;
    int status;
  };
  for (const Case& c : std::vector<Case>{
           {absl::StatusCode::kInvalidArgument, "INVALID_REQUEST", 400},
           {absl::StatusCode::kOutOfRange, "SEQUENCE_IN_FUTURE", 400},
           {absl::StatusCode::kUnauthenticated, "CREDENTIALS_INVALID", 401},
           {absl::StatusCode::kPermissionDenied, "ROLE_MISSING", 403},
           {absl::StatusCode::kNotFound, "WAVE_NOT_FOUND", 404},
           {absl::StatusCode::kUnimplemented, "UNKNOWN_METHOD", 404},
           {absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", 409},
           {absl::StatusCode::kAborted, "CONCURRENT_CHANGE", 409},
           {absl::StatusCode::kAborted, "ETAG_MISMATCH", 412},
           {absl::StatusCode::kFailedPrecondition, "ALREADY_WITHDRAWN", 409},
           {absl::StatusCode::kResourceExhausted, "RATE_LIMITED", 429},
           {absl::StatusCode::kResourceExhausted, "TOO_MANY_CALLS", 429},
           {absl::StatusCode::kResourceExhausted, "GATEWAY_BUSY", 503},
           {absl::StatusCode::kResourceExhausted, "STORAGE_FULL", 503},
           {absl::StatusCode::kCancelled, "CANCELLED", 499},
           {absl::StatusCode::kUnimplemented, "UNIMPLEMENTED", 501},
           {absl::StatusCode::kUnavailable, "BACKEND_UNAVAILABLE", 503},
           {absl::StatusCode::kDeadlineExceeded, "POSITION_NOT_REACHED", 504},
           {absl::StatusCode::kInternal, "INTERNAL_ERROR", 500},
           {absl::StatusCode::kUnknown, "INTERNAL_ERROR", 500},
           {absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", 500},
       }) {
    const HttpResponse response = ProblemOf(status::Error(c.code, c.reason, "what"), nullptr, "id-1");
    EXPECT_EQ(response.status, c.status) << c.reason;
    if (c.status == 500) continue;
    EXPECT_NE(ProblemTitle(c.status), ProblemTitle(500)) << "no title of its own for " << c.status;
  }
}

TEST(Problem, SaysAllThatIsKnown) {
  const auto rules = HttpRules::Of({intake::v1::GetWaveRequest::descriptor()->file()->service(0)});
  const HttpRoute* route = rules->Find("POST", "/v1/surveys/s/waves/w/responses").route;
  status::BadRequest bad;
  bad.Add("response.answers.answers[3]", "\"x\", want a number");
  bad.Add("parent", "no such wave");
  EXPECT_EQ(
      ProblemJson(bad.ToStatus("RESPONSE_INVALID"), route, "id-1"),
      R"({"type":"urn:peiling:problem:response-invalid","title":"Het verzoek klopt niet","status":400,)"
      R"("detail":"response.answers.answers[3]: \"x\", want a number; parent: no such wave","instance":"urn:peiling:request:id-1",)"
      R"("reason":"RESPONSE_INVALID","errors":[{"in":"body","location":{"pointer":"#/response/answers/answers/3"},"detail":"\"x\", want a number"},)"
      R"({"in":"path","location":{"name":"parent"},"detail":"no such wave"}]})");
  EXPECT_EQ(
      ProblemJson(status::Error(absl::StatusCode::kNotFound, "X", "no", {{"question", "q1"}}), nullptr, ""),
      R"({"type":"urn:peiling:problem:x","title":"Niet gevonden","status":404,"detail":"no","reason":"X","metadata":{"question":"q1"}})");
}

TEST(Problem, AdviceBecomesRetryAfterInWholeSeconds) {
  for (const auto& [delay, header] : {std::pair(1500, "2"), std::pair(1, "1"), std::pair(0, "1"), std::pair(60'000, "60")}) {
    const HttpResponse response = ProblemOf(
        status::RetryAfter(status::Error(absl::StatusCode::kUnavailable, "X", "later"), std::chrono::milliseconds(delay)), nullptr, "");
    EXPECT_THAT(response.headers, Contains(Pair("Retry-After", header)));
  }
}

TEST(Problem, UnauthenticatedSaysWhatIsWanted) {
  EXPECT_THAT(ProblemOf(status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_MISSING", "who?"), nullptr, "").headers,
              Contains(Pair("WWW-Authenticate", "Bearer realm=\"peiling\"")));
}

}  // namespace
}  // namespace peiling::gateway
