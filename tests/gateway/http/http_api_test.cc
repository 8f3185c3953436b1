// What HTTP clients ask and get, on sockets.
#include "services/gateway/http/http_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/gateway/http/api_version.h"
#include "tests/common/eventually.h"
#include "tests/gateway/http/fixture.h"

namespace peiling::gateway {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr char kWave[] = "/v1/surveys/s/waves/2022";
constexpr char kResponses[] = "/v1/surveys/s/waves/2022/responses";
constexpr char kWithdrawal[] = "/v1/surveys/s/waves/2022/responses/1/withdrawal";
constexpr char kJson[] = "Content-Type: application/json\r\n";

std::string Header(const Answered& answered, const std::string& name) {
  const auto found = answered.headers.find(name);
  return found == answered.headers.end() ? "" : found->second;
}

TEST_F(HttpTest, AnswersAGet) {
  Client client(port());
  const Answered answered = client.Ask("GET", kWave);
  EXPECT_EQ(answered.status, 200) << answered.head;
  EXPECT_EQ(Header(answered, "content-type"), "application/json");
  EXPECT_EQ(Header(answered, "etag"), "\"e1\"");
  EXPECT_THAT(answered.body, HasSubstr(R"({"name":"surveys/s/waves/2022",)"));
  EXPECT_THAT(answered.body, HasSubstr(R"("responseCount":"1048576")"));
  EXPECT_THAT(door_.ends(), ElementsAre(grpc::StatusCode::OK));
}

TEST_F(HttpTest, AnswersAPost) {
  Client client(port());
  const Answered answered = client.Ask("POST", kResponses, kJson, R"({"requestId": "r1", "response": {"language": "nl"}})");
  EXPECT_EQ(answered.status, 200) << answered.body;
  EXPECT_THAT(answered.body, HasSubstr(R"("name":"surveys/s/waves/2022/responses/r1")"));
  EXPECT_THAT(answered.body, HasSubstr(R"("language":"nl")"));
}

TEST_F(HttpTest, QueryAndAdditionalBindingAreTheSameCall) {
  Client client(port());
  const Answered got = client.Ask("GET", absl::StrCat(kWave, "/tables?questions=q1&byGroup=G40"));
  const Answered posted =
      client.Ask("POST", absl::StrCat(kWave, "/table-queries"), kJson, R"({"questions": ["q1"], "by": {"group": "G40"}})");
  EXPECT_EQ(got.status, 200) << got.body;
  EXPECT_THAT(got.body, HasSubstr(R"(questions: \"q1\" by { group: \"G40\" })"));
  EXPECT_EQ(got.body, posted.body);
}

TEST_F(HttpTest, EveryAnswerHasWhatTheDesignRulesAskFor) {
  Client client(port());
  for (const char* target : {kWave, "/nowhere", "/v1/openapi.json", "/v1/surveys?x=1"}) {
    const Answered answered = client.Ask("GET", target);
    EXPECT_EQ(Header(answered, "api-version"), std::string(kApiVersion)) << target;
    EXPECT_EQ(Header(answered, "cache-control"), "no-store");
    EXPECT_EQ(Header(answered, "content-security-policy"), "frame-ancestors 'none'");
    EXPECT_THAT(Header(answered, "strict-transport-security"), HasSubstr("max-age="));
    EXPECT_EQ(Header(answered, "x-content-type-options"), "nosniff");
    EXPECT_EQ(Header(answered, "x-frame-options"), "DENY");
    EXPECT_THAT(Header(answered, "date"), MatchesRegex("[A-Z][a-z]+, [0-9]+ [A-Z][a-z]+ [0-9]+ [0-9:]+ GMT"));
    EXPECT_THAT(Header(answered, "x-request-id"), Not(IsEmpty()));
  }
  // Of what is no request, too.
  Client other(port());
  other.Send("nonsense\r\n\r\n");
  const Answered answered = other.Read();
  EXPECT_EQ(answered.status, 400);
  EXPECT_EQ(Header(answered, "api-version"), std::string(kApiVersion));
  EXPECT_EQ(Header(answered, "content-type"), "application/problem+json");
}

TEST_F(HttpTest, RequestIdAndTraceAreHandedOn) {
  Client client(port());
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const Answered answered = client.Ask(
      "GET", kWave,
      absl::StrCat("X-Request-Id: my-id\r\nTraceparent: ", trace, "\r\nAuthorization: Bearer secret\r\nPeiling-Identity-Bin: x\r\n"));
  EXPECT_EQ(Header(answered, "x-request-id"), "my-id");
  EXPECT_EQ(intake_.metadata("x-request-id"), "my-id");
  EXPECT_EQ(intake_.metadata("traceparent"), trace);
  EXPECT_EQ(intake_.metadata("authorization"), "");
  EXPECT_EQ(intake_.metadata("peiling-identity-bin"), "");
  ASSERT_EQ(door_.arrivals().size(), 1);
  const Arrival arrival = door_.arrivals()[0];
  EXPECT_EQ(arrival.protocol, "http");
  EXPECT_EQ(arrival.method, "/peiling.intake.v1.IntakeService/GetWave");
  EXPECT_EQ(arrival.credentials.authorization, "Bearer secret");
  EXPECT_THAT(arrival.peer, MatchesRegex("ipv4:127.0.0.1:[0-9]+"));
  EXPECT_EQ(arrival.request_id, "my-id");

  EXPECT_NE(Header(client.Ask("GET", kWave, "X-Request-Id: not an id\r\n"), "x-request-id"), "not an id");
}

TEST_F(HttpTest, RefusalsOfTheDoorAreProblems) {
  struct Case {
    absl::Status refusal;
    int status;
    const char* header;
    const char* value;
  };
  for (const Case& c : std::vector<Case>{
           {status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_MISSING", "who?"), 401, "www-authenticate",
            "Bearer realm=\"peiling\""},
           {status::Error(absl::StatusCode::kPermissionDenied, "ROLE_MISSING", "no"), 403, "content-type", "application/problem+json"},
           {status::RetryAfter(status::Error(absl::StatusCode::kResourceExhausted, "RATE_LIMITED", "slower"), std::chrono::seconds(3)), 429,
            "retry-after", "3"},
           {status::Error(absl::StatusCode::kUnavailable, "AUDIT_UNAVAILABLE", "later"), 503, "content-type", "application/problem+json"},
       }) {
    door_.refusal = c.refusal;
    Client client(port());
    const Answered answered = client.Ask("POST", kResponses, kJson, "{}");
    EXPECT_EQ(answered.status, c.status);
    EXPECT_EQ(Header(answered, c.header), c.value);
    EXPECT_THAT(answered.body, HasSubstr(absl::StrCat("\"reason\":\"", status::Reason(c.refusal), "\"")));
    EXPECT_THAT(answered.body, HasSubstr(absl::StrCat("\"instance\":\"urn:peiling:request:", Header(answered, "x-request-id"), "\"")));
  }
  EXPECT_EQ(intake_.calls, 0);
}

TEST_F(HttpTest, WhatTheCallerMayNotTouchIsNotPassedOn) {
  door_.check = status::Error(absl::StatusCode::kPermissionDenied, "NOT_WITHIN_LIMITS", "not yours");
  Client client(port());
  EXPECT_EQ(client.Ask("GET", kWave).status, 403);
  EXPECT_EQ(client.Ask("GET", absl::StrCat(kWave, "/submission-events")).status, 403);
  EXPECT_EQ(intake_.calls, 0);
  EXPECT_THAT(door_.ends(), ElementsAre(grpc::StatusCode::PERMISSION_DENIED, grpc::StatusCode::PERMISSION_DENIED));
}

TEST_F(HttpTest, ErrorsOfServicesAreProblems) {
  status::BadRequest bad;
  bad.Add("name", "no such thing");
  intake_.answer = status::ToGrpc(bad.ToStatus());
  Client client(port());
  Answered answered = client.Ask("GET", kWave);
  EXPECT_EQ(answered.status, 400);
  EXPECT_THAT(answered.body, HasSubstr(R"("errors":[{"in":"path","location":{"name":"name"},"detail":"no such thing"}])"));

  intake_.answer = grpc::Status(grpc::StatusCode::INTERNAL, "password of the database");
  answered = client.Ask("GET", kWave);
  EXPECT_EQ(answered.status, 500);
  EXPECT_THAT(answered.body, Not(HasSubstr("password")));
  EXPECT_THAT(answered.body, HasSubstr("INTERNAL_ERROR"));

  answered = client.Ask("GET", "/v1/municipalities/GM0003");
  EXPECT_EQ(answered.status, 503);
  EXPECT_THAT(answered.body, HasSubstr("BACKEND_UNAVAILABLE"));
  EXPECT_EQ(client.Ask("GET", "/v1/caller").status, 404) << "a contract whose service is not behind this gateway";
}

TEST_F(HttpTest, WhatIsAskedInTheWrongWay) {
  struct Case {
    const char* what;
    const char* verb;
    const char* target;
    std::string headers;
    std::string body;
    int status;
    const char* reason;
  };
  for (const Case& c : std::vector<Case>{
           {"a path of nothing", "GET", "/v1/nothing", "", "", 404, "PATH_UNKNOWN"},
           {"a trailing slash", "GET", "/v1/surveys/", "", "", 404, "PATH_UNKNOWN"},
           {"the root", "GET", "/", "", "", 404, "PATH_UNKNOWN"},
           {"a method of nothing", "DELETE", kWave, "", "", 405, "METHOD_NOT_ALLOWED"},
           {"HEAD where there is no GET", "HEAD", kWithdrawal, "", "", 405, ""},
           {"another form of answer", "GET", kWave, "Accept: text/html\r\n", "", 406, "ACCEPT_UNKNOWN"},
           {"another form of stream", "GET", "/v1/wave-events", "Accept: application/json\r\n", "", 406, "ACCEPT_UNKNOWN"},
           {"another form of body", "POST", kResponses, "Content-Type: text/plain\r\n", "{}", 415, "CONTENT_TYPE_UNKNOWN"},
           {"a body of no form", "POST", kResponses, "", "{}", 415, "CONTENT_TYPE_UNKNOWN"},
           {"another character set", "POST", kResponses, "Content-Type: application/json; charset=latin1\r\n", "{}", 415,
            "CONTENT_TYPE_UNKNOWN"},
           {"a compressed body", "POST", kResponses, absl::StrCat(kJson, "Content-Encoding: gzip\r\n"), "{}", 415,
            "CONTENT_ENCODING_UNKNOWN"},
           {"a stream of JSON objects", "POST", "/v1/surveys/s/waves/2022/imports", kJson, "{}", 415, "CONTENT_TYPE_UNKNOWN"},
           {"a body of a GET", "GET", kWave, kJson, "{}", 400, "BODY_UNEXPECTED"},
           {"no JSON", "POST", kResponses, kJson, "{", 400, "BODY_MALFORMED"},
           {"unknown fields", "POST", kResponses, kJson, R"({"x": 1})", 400, "INVALID_REQUEST"},
           {"an unknown parameter", "GET", "/v1/surveys/s/waves/2022?x=1", "", "", 400, "INVALID_REQUEST"},
           {"If-Match where there is no etag", "POST", kResponses, absl::StrCat(kJson, "If-Match: \"a\"\r\n"), "{}", 400,
            "IF_MATCH_UNSUPPORTED"},
           {"If-Match of a GET", "GET", kWave, "If-Match: \"a\"\r\n", "", 400, "IF_MATCH_UNSUPPORTED"},
           {"If-Match that is none", "POST", kWithdrawal, absl::StrCat(kJson, "If-Match: a\r\n"), "{}", 400, "IF_MATCH_UNREADABLE"},
           {"an expectation", "POST", kResponses, absl::StrCat(kJson, "Expect: miracles\r\n"), "{}", 417, "EXPECTATION_UNKNOWN"},
           {"an unknown method", "BREW", kWave, "", "", 405, "METHOD_NOT_ALLOWED"},
       }) {
    Client client(port());
    const Answered answered = client.Ask(c.verb, c.target, c.headers, c.body);
    EXPECT_EQ(answered.status, c.status) << c.what;
    EXPECT_EQ(Header(answered, "content-type"), "application/problem+json") << c.what;
    EXPECT_THAT(answered.body, HasSubstr(c.reason)) << c.what;
    EXPECT_EQ(Header(answered, "allow").empty(), c.status != 405) << c.what;
  }
  EXPECT_EQ(intake_.calls, 0);
}

// As mail programs do it (RFC 8058).
TEST_F(HttpTest, OneClickUnsubscribeIsAPost) {
  constexpr char kPath[] = "/v1/unsubscriptions/abc-_1";
  const std::string wanted = R"(token: "abc-_1" list_unsubscribe: "One-Click")";
  const std::string multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
  Client client(port());
  for (const auto& [type, body] : {std::pair<std::string, std::string>{"application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"},
                                   {"multipart/form-data; boundary=b", multipart},
                                   {"application/json", R"({"List-Unsubscribe": "One-Click"})"}}) {
    mail_.asked.clear();
    const Answered answered = client.Ask("POST", kPath, absl::StrCat("Content-Type: ", type, "\r\n"), body);
    EXPECT_EQ(answered.status, 200) << answered.body;
    EXPECT_EQ(answered.body, "{}");
    EXPECT_EQ(mail_.asked, wanted) << type;
  }
  mail_.asked.clear();
  for (const char* verb : {"PUT", "DELETE"}) {
    const Answered answered = client.Ask(verb, kPath);
    EXPECT_EQ(answered.status, 405) << verb;
    EXPECT_EQ(Header(answered, "allow"), "GET, HEAD, POST, OPTIONS");
  }
  const Answered twice =
      client.Ask("POST", kPath, "Content-Type: application/x-www-form-urlencoded\r\n", "List-Unsubscribe=a&List-Unsubscribe=b");
  EXPECT_EQ(twice.status, 400);
  EXPECT_THAT(twice.body, HasSubstr(R"({"in":"body","location":{"pointer":"#/List-Unsubscribe"},"detail":"stands there twice"})"));
  EXPECT_EQ(mail_.asked, "");
}

TEST_F(HttpTest, WhoOpensTheLinkToUnsubscribeGetsAPageThatAsks) {
  constexpr char kPath[] = "/v1/unsubscriptions/abc-_1";
  Client client(port());
  for (const char* verb : {"GET", "HEAD"}) {
    const Answered page = client.Ask(verb, kPath, "Accept: text/html,*/*;q=0.8\r\n");
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(Header(page, "content-type"), "text/html; charset=utf-8");
    EXPECT_THAT(Header(page, "content-security-policy"), HasSubstr("default-src 'none'; form-action 'self'; base-uri 'none'"));
    EXPECT_EQ(Header(page, "referrer-policy"), "no-referrer");
    EXPECT_EQ(Header(page, "cache-control"), "no-store");
  }
  const std::string page = client.Ask("GET", kPath).body;
  EXPECT_THAT(page, HasSubstr("<form method=\"post\">"));
  EXPECT_THAT(page, HasSubstr("<html lang=\"nl\">"));
  for (const char* not_there : {"abc", "script", "style", "http"}) EXPECT_THAT(page, Not(HasSubstr(not_there)));
  EXPECT_EQ(mail_.asked, "") << "a GET changes nothing";
  EXPECT_THAT(door_.arrivals(), IsEmpty());
  EXPECT_EQ(Header(client.Ask("OPTIONS", kPath), "allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(client.Ask("GET", "/v1/unsubscriptions").status, 404);
}

TEST_F(HttpTest, WhoUnsubscribesInABrowserGetsAPageAsAnswer) {
  constexpr char kForm[] = "Content-Type: application/x-www-form-urlencoded\r\nAccept: text/html,application/xml;q=0.9,*/*;q=0.8\r\n";
  Client client(port());
  const Answered done = client.Ask("POST", "/v1/unsubscriptions/abc", kForm, "List-Unsubscribe=One-Click");
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(Header(done, "content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(done.body, HasSubstr("U bent afgemeld"));
  EXPECT_EQ(mail_.asked, R"(token: "abc" list_unsubscribe: "One-Click")");
  const Answered wrong = client.Ask("POST", "/v1/unsubscriptions/abc", kForm, "a=1");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr("Afmelden is niet gelukt"));
  door_.refusal = status::Error(absl::StatusCode::kResourceExhausted, "RATE_LIMITED", "slow down");
  EXPECT_EQ(client.Ask("POST", "/v1/unsubscriptions/abc", kForm).status, 429);
}

TEST_F(HttpTest, WhatWasShownIsLookedAtAgainWhenThatIsLongAgo) {
  door_.stale = true;
  Client client(port());
  EXPECT_EQ(client.Ask("GET", kWave).status, 200);
  door_.renewed = status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_INVALID", "no longer");
  EXPECT_EQ(client.Ask("GET", kWave).status, 401);
  EXPECT_EQ(client.Ask("GET", absl::StrCat(kWave, "/submission-events")).status, 401) << "streams, too";
  EXPECT_EQ(intake_.calls, 1);
}

TEST_F(HttpTest, FormsAreTakenWhereAnybodyMayCallAndNowhereElse) {
  Client client(port());
  EXPECT_EQ(client.Ask("POST", kWithdrawal, "Content-Type: application/x-www-form-urlencoded\r\n", "reason=x").status, 415);
  EXPECT_EQ(client.Ask("POST", kWithdrawal, "Content-Type: multipart/form-data; boundary=b\r\n", "--b--").status, 415);
  EXPECT_EQ(intake_.calls, 0);
}

TEST_F(HttpTest, PutReplacesWhatThePathNames) {
  constexpr char kContact[] = "/v1/municipalities/GM0363/contacts/c1";
  Client client(port());
  const Answered put = client.Ask("PUT", absl::StrCat(kContact, "?requestId=r"), absl::StrCat(kJson, "If-Match: \"e1\"\r\n"),
                                  R"({"email": "a@example.nl"})");
  EXPECT_EQ(put.status, 200) << put.body;
  EXPECT_THAT(put.body, HasSubstr(R"("name":"municipalities/GM0363/contacts/c1")"));
  EXPECT_THAT(put.body, HasSubstr(R"("email":"a@example.nl")"));
  EXPECT_THAT(put.body, HasSubstr(R"("etag":"e1")"));
  EXPECT_EQ(Header(client.Ask("OPTIONS", kContact), "allow"), "GET, HEAD, PUT, OPTIONS");
}

TEST_F(HttpTest, DeleteHasNoBody) {
  Client client(port());
  const Answered deleted = client.Ask("DELETE", "/v1/suppressions/s1?requestId=r");
  EXPECT_EQ(deleted.status, 200) << deleted.body;
  EXPECT_EQ(deleted.body, "{}");
  EXPECT_EQ(mail_.asked, R"(name: "suppressions/s1" request_id: "r")");
  EXPECT_EQ(client.Ask("DELETE", "/v1/suppressions/s1", kJson, "{}").status, 400);
}

TEST_F(HttpTest, BytesComeInPieces) {
  Client client(port());
  const Answered answered = client.Ask("GET", "/v1/contact-exports?municipalities=GM0363&municipalities=GM0014");
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(Header(answered, "content-type"), "application/x-ndjson");
  EXPECT_EQ(answered.body, "{\"content\":\"Z2VtZWVudGUK\"}\n{\"content\":\"R00wMzYzCg==\"}\n{\"content\":\"R00wMDE0Cg==\"}\n");
}

TEST_F(HttpTest, AllThatIsWrongIsNamedAtOnce) {
  Client client(port());
  const Answered answered = client.Ask("POST", kResponses, kJson, R"({"a": 1, "response": {"b": 2, "test": "x"}})");
  EXPECT_EQ(answered.status, 400);
  for (const char* pointer : {"#/a", "#/response/b", "#/response/test"})
    EXPECT_THAT(answered.body, HasSubstr(absl::StrCat("\"", pointer, "\""))) << answered.body;
}

TEST_F(HttpTest, HeadIsGetWithoutBody) {
  Client client(port());
  const Answered got = client.Ask("GET", kWave);
  const Answered head = client.Ask("HEAD", kWave);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(Header(head, "content-length"), absl::StrCat(got.body.size()));
  EXPECT_EQ(Header(head, "etag"), Header(got, "etag"));
  // Nothing of it is taken for the next answer.
  EXPECT_EQ(client.Ask("GET", kWave).body, got.body);
  EXPECT_EQ(client.Ask("HEAD", absl::StrCat(kWave, "/submission-events")).status, 200);
  EXPECT_TRUE(Eventually([&] { return intake_.cancelled == 1; })) << "a watch goes on for a HEAD";
  EXPECT_EQ(client.Ask("GET", kWave).status, 200);
}

TEST_F(HttpTest, OptionsNamesTheMethods) {
  Client client(port());
  const Answered answered = client.Ask("OPTIONS", kResponses);
  EXPECT_EQ(answered.status, 204);
  EXPECT_EQ(Header(answered, "allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(Header(answered, "content-length"), "");
  EXPECT_EQ(Header(client.Ask("OPTIONS", "*"), "allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(Header(client.Ask("OPTIONS", "/v1/openapi.json"), "allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(client.Ask("OPTIONS", "/nowhere").status, 404);
  EXPECT_THAT(door_.arrivals(), IsEmpty());
}

TEST_F(HttpTest, OriginsOnTheListMayRead) {
  Serve({}, 1000, {.cors_origins = {"https://dashboard.vng.nl"}});
  Client client(port());
  Answered answered = client.Ask("GET", kWave, "Origin: https://dashboard.vng.nl\r\n");
  EXPECT_EQ(Header(answered, "access-control-allow-origin"), "https://dashboard.vng.nl");
  EXPECT_THAT(Header(answered, "access-control-expose-headers"), HasSubstr("ETag"));
  EXPECT_THAT(Header(answered, "vary"), HasSubstr("Origin"));
  for (const char* other :
       {"Origin: https://evil.example\r\n", "Origin: null\r\n", "Origin: https://dashboard.vng.nl.evil.example\r\n", ""}) {
    answered = client.Ask("GET", kWave, other);
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(Header(answered, "access-control-allow-origin"), "") << other;
    EXPECT_THAT(Header(answered, "vary"), HasSubstr("Origin"));
  }
  answered =
      client.Ask("OPTIONS", kWithdrawal,
                 "Origin: https://dashboard.vng.nl\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: if-match\r\n");
  EXPECT_EQ(answered.status, 204);
  EXPECT_EQ(Header(answered, "access-control-allow-origin"), "https://dashboard.vng.nl");
  EXPECT_THAT(Header(answered, "access-control-allow-methods"), HasSubstr("POST"));
  EXPECT_THAT(Header(answered, "access-control-allow-headers"), HasSubstr("If-Match"));
}

TEST_F(HttpTest, OriginsThatAreNoneAreFoundAtTheStart) {
  for (const char* origin : {"dashboard.vng.nl", "https://", "https://a/", "*"}) {
    EXPECT_FALSE(HttpApi::Make(door_, {}, "", {.cors_origins = {origin}}).ok()) << origin;
  }
}

TEST_F(HttpTest, WithoutCredentialsOnlyNamesOfThisMachineAreAnswered) {
  struct Case {
    std::string host;
    int status;
  };
  const Case cases[] = {{"localhost", 200},
                        {"localhost:7380", 200},
                        {"127.0.0.1", 200},
                        {"127.0.0.1:1", 200},
                        {"127.8.9.10:7380", 200},
                        {"[::1]", 200},
                        {"[::1]:7380", 200},
                        {"evil.example", 403},
                        {"evil.example:7380", 403},
                        {"test", 403},
                        {"localhost.evil.example", 403},
                        {"127.0.0.1.evil.example:7380", 403},
                        {"evil.example:127.0.0.1", 403},
                        {"10.0.0.1", 403},
                        {"0.0.0.0:7380", 403},
                        {"[::]:7380", 403},
                        {"[2001:db8::1]", 403},
                        {"", 403}};
  const auto ask = [](Client& client, const std::string& target, const std::string& host) {
    client.Send(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: ", host, "\r\n\r\n"));
    return client.Read();
  };
  Serve({}, 1000, {.loopback_hosts_only = true});
  Client client(port());
  for (const Case& c : cases) {
    for (const std::string target : {kWave, "/v1/openapi.json"}) {
      const Answered answered = ask(client, target, c.host);
      EXPECT_EQ(answered.status, c.status) << c.host;
      if (c.status == 200) continue;
      EXPECT_EQ(Header(answered, "content-type"), "application/problem+json");
      EXPECT_THAT(answered.body, HasSubstr(R"("reason":"HOST_NOT_ALLOWED")"));
    }
  }
  Client old(port());
  old.Send(absl::StrCat("GET ", kWave, " HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(old.Read().status, 403) << "no host at all";
  EXPECT_EQ(door_.arrivals().size(), 7u) << "only those that were answered came to the door";

  Serve();
  Client with_credentials(port());
  for (const Case& c : cases) EXPECT_EQ(ask(with_credentials, kWave, c.host).status, 200) << c.host;
}

TEST_F(HttpTest, DocumentIsThereForEverybody) {
  door_.refusal = status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_MISSING", "who?");
  Client client(port());
  const Answered answered = client.Ask("GET", "/v1/openapi.json", "Origin: https://anywhere.example\r\n");
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(answered.body, R"({"openapi": "3.0.3"})");
  EXPECT_EQ(Header(answered, "access-control-allow-origin"), "*");
  EXPECT_EQ(Header(answered, "content-type"), "application/json");
  EXPECT_EQ(client.Ask("HEAD", "/v1/openapi.json").status, 200);
  EXPECT_EQ(client.Ask("POST", "/v1/openapi.json").status, 405);
}

TEST_F(HttpTest, EtagsAreHonoured) {
  Client client(port());
  const Answered unchanged = client.Ask("GET", kWave, "If-None-Match: \"x\", \"e1\"\r\n");
  EXPECT_EQ(unchanged.status, 304);
  EXPECT_EQ(unchanged.body, "");
  EXPECT_EQ(Header(unchanged, "etag"), "\"e1\"");
  EXPECT_EQ(client.Ask("GET", kWave, "If-None-Match: \"x\"\r\n").status, 200);

  const auto withdraw = [&](const std::string& headers, const std::string& body) {
    return client.Ask("POST", kWithdrawal, absl::StrCat(kJson, headers), body).status;
  };
  EXPECT_EQ(withdraw("If-Match: \"e1\"\r\n", "{}"), 200);
  EXPECT_EQ(withdraw("If-Match: \"old\"\r\n", "{}"), 412);
  EXPECT_EQ(withdraw("If-Match: *\r\n", "{}"), 200);
  EXPECT_EQ(withdraw("", R"({"etag": "old"})"), 412);
  EXPECT_EQ(withdraw("If-Match: \"e1\"\r\n", R"({"etag": "old"})"), 200) << "the header goes first";
}

std::string Unzip(std::string_view compressed) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string bytes(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  inflateEnd(&stream);
  return bytes;
}

TEST_F(HttpTest, LargeAnswersAreCompressedForThoseWhoTakeIt) {
  intake_.title_bytes = 5000;
  Client client(port());
  const Answered plain = client.Ask("GET", kWave);
  EXPECT_EQ(Header(plain, "content-encoding"), "");
  EXPECT_THAT(Header(plain, "vary"), HasSubstr("Accept-Encoding"));
  const Answered compressed = client.Ask("GET", kWave, "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(Header(compressed, "content-encoding"), "gzip");
  EXPECT_LT(compressed.body.size(), 500);
  EXPECT_EQ(Unzip(compressed.body), plain.body);
  EXPECT_EQ(Header(client.Ask("GET", kWave, "Accept-Encoding: br, gzip;q=0\r\n"), "content-encoding"), "");
  const Answered posted = client.Ask("POST", kResponses, absl::StrCat(kJson, "Accept-Encoding: gzip\r\n"),
                                     absl::StrCat(R"({"requestId":")", std::string(5000, 'x'), "\"}"));
  EXPECT_EQ(posted.status, 200);
  EXPECT_EQ(Header(posted, "content-encoding"), "") << "what is made may hold a secret";
  intake_.title_bytes = 4;
  EXPECT_EQ(Header(client.Ask("GET", kWave, "Accept-Encoding: gzip\r\n"), "content-encoding"), "");
  EXPECT_EQ(Unzip(client.Ask("GET", "/v1/openapi.json", "Accept-Encoding: gzip\r\n").body), R"({"openapi": "3.0.3"})");
}

TEST_F(HttpTest, CallEndsWithItsClient) {
  for (const bool reset : {false, true}) {
    Client client(port());
    const int before = intake_.waiting;
    client.Send("GET /v1/surveys/s/waves/wait HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(Eventually([&] { return intake_.waiting == before + 1; }));
    if (reset) {
      client.Reset();
    } else {
      client.ShutdownSend();
    }
    EXPECT_TRUE(Eventually([&] { return intake_.cancelled == before + 1; }));
    EXPECT_TRUE(Eventually([&] { return static_cast<int>(door_.ends().size()) == before + 1; }));
  }
  EXPECT_THAT(door_.ends(), Each(grpc::StatusCode::CANCELLED));
}

}  // namespace
}  // namespace peiling::gateway
