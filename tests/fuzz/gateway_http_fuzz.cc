// HTTP as strangers send it: heads and bodies through a whole session, JSON bodies, query strings, paths and path templates. Nothing
// breaks, every request gets one answer of known form, and what is read and written again stays the same.
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "google/api/annotations.pb.h"
#include "peiling/access/v1/access.pb.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/text/fold.h"
#include "services/gateway/http/http_session.h"
#include "services/gateway/http/json.h"
#include "services/gateway/http/negotiation.h"
#include "services/gateway/http/problem.h"
#include "services/gateway/http/transcoder.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/wire.h"

namespace peiling::gateway {
namespace {

const HttpRules& Rules() {
  static const auto* const rules = new HttpRules(*HttpRules::Of({intake::v1::GetWaveRequest::descriptor()->file()->service(0),
                                                                 analytics::v1::TabulateRequest::descriptor()->file()->service(0),
                                                                 access::v1::GetKeyRequest::descriptor()->file()->service(0)}));
  return *rules;
}

// Answers with what was read: whole bodies or pieces, as the request says.
void Echo(const std::shared_ptr<Exchange>& exchange) {
  if (exchange->request().path == "/stream") {
    exchange->BeginStream({200, {}, ""});
    struct Loop : std::enable_shared_from_this<Loop> {
      std::shared_ptr<Exchange> exchange;
      void Next() {
        exchange->ReadBody([self = shared_from_this()](Exchange::Piece piece) {
          if (!piece.ok) return;
          const bool last = piece.last;
          self->exchange->Write(absl::StrCat(piece.bytes.size(), "\n"), [self, last](bool ok) {
            if (!ok) return;
            return last ? self->exchange->EndStream() : self->Next();
          });
        });
      }
    };
    auto loop = std::make_shared<Loop>();
    loop->exchange = exchange;
    if (exchange->request().has_body) return loop->Next();
    return exchange->EndStream();
  }
  if (!exchange->request().has_body) return exchange->Answer({200, {}, "none"});
  exchange->ReadWholeBody([exchange](const std::string* body) {
    if (body != nullptr) exchange->Answer({200, {}, absl::StrCat(body->size())});
  });
}

const std::vector<std::string>& Requests() {
  static const auto* const requests = new std::vector<std::string>{
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      ("POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"
       "GET / HTTP/1.0\r\n\r\n"),
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
      "HEAD http://a/b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX-Request-Id: 1\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
  };
  return *requests;
}

TEST(HttpFuzz, SessionsAnswerWhateverComes) {
  const std::vector<std::string> words = {"\r\n",
                                          "\r\n\r\n",
                                          "\n",
                                          "\r",
                                          ": ",
                                          "HTTP/1.1",
                                          "HTTP/1.0",
                                          "Host: a\r\n",
                                          "Content-Length: 5\r\n",
                                          "Content-Length: 99999999999\r\n",
                                          "Transfer-Encoding: chunked\r\n",
                                          "Transfer-Encoding: gzip\r\n",
                                          "0\r\n\r\n",
                                          "5\r\nhello\r\n",
                                          "ffffffffffffffff\r\n",
                                          "Expect: 100-continue\r\n",
                                          "GET / ",
                                          "POST /stream ",
                                          "%00",
                                          " ",
                                          "\t",
                                          std::string(1, '\0'),
                                          "Connection: close\r\n",
                                          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
  fuzz::Mutator pieces(7);
  fuzz::Run(Requests(), fuzz::Mutator(1, words), [&](const std::string& said) {
    fuzz::Wire wire;
    wire.said = said;
    wire.piece = 1 + pieces.Below(said.size() + 1);
    std::weak_ptr<Session> alive;
    bool over = false;
    {
      const auto session = MakeHttpSession(std::make_unique<fuzz::Wire::End>(wire), {.max_body_bytes = 1000}, Echo,
                                           [&](bool ended) { over = over || ended; });
      alive = session;
      session->Start();
    }
    wire.Run();
    EXPECT_TRUE(over) << "the connection goes on without its client";
    EXPECT_TRUE(alive.expired()) << "the session is never gone";
    EXPECT_TRUE(wire.told.empty() || wire.told.starts_with("HTTP/1.1 ")) << wire.told;
  });
}

// What was read as one in pieces of any size is read as the same: nobody can be led to see other requests.
TEST(HttpFuzz, PiecesDoNotMatter) {
  fuzz::Run(Requests(), fuzz::Mutator(2, {"\r\n", "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"}),
            [](const std::string& said) {
              std::vector<std::string> seen[2];
              for (const size_t i : {0u, 1u}) {
                fuzz::Wire wire;
                wire.said = said;
                wire.piece = i == 0 ? 1 : said.size() + 1;
                MakeHttpSession(
                    std::make_unique<fuzz::Wire::End>(wire), {},
                    [&](const std::shared_ptr<Exchange>& exchange) {
                      const std::string head =
                          absl::StrCat(exchange->request().verb, " ", exchange->request().path, "?", exchange->request().query);
                      exchange->ReadWholeBody([&seen, i, head, exchange](const std::string* body) {
                        if (body == nullptr) return;
                        seen[i].push_back(absl::StrCat(head, " ", *body));
                        exchange->Answer({204, {}, ""});
                      });
                    },
                    [](bool) {})
                    ->Start();
                wire.Run();
              }
              EXPECT_EQ(seen[0], seen[1]);
            });
}

// All that is said of a body is said of something in it. Names that cannot be printed, and more than an answer can name, aside.
void ExpectPointsIntoBody(const absl::Status& wrong, const std::string& json) {
  rapidjson::Document body;
  body.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag>(json.data(), json.size());
  for (const auto& [field, description] : status::FieldViolations(wrong)) {
    const bool is_whole = std::all_of(field.begin(), field.end(), [](char c) { return c >= ' ' && c <= '~' && c != '\\'; });
    if (!is_whole) continue;
    ASSERT_TRUE(field.starts_with('#')) << field;
    EXPECT_NE(rapidjson::Pointer(field.substr(1).c_str()).Get(body), nullptr) << field << " in " << json;
  }
}

TEST(HttpFuzz, JsonBodies) {
  const std::vector<std::string> corpus = {
      R"({"parent": "surveys/s/waves/w", "requestId": "r", "validateOnly": true, "response": {"startedAt": "2022-04-14T12:00:00.25+02:00", "lastSection": 3}})",
      R"({"response": {"issues": [{}, {"field": "x"}], "state": "RESPONSE_STATE_SUBMITTED", "sequence": "18446744073709551615", "answers": {"answers": []}}})",
      "[]", "null", R"({"a": [[[[{"b": {}}]]]], "parent": null})"};
  const std::vector<std::string> words = {"{",
                                          "}",
                                          "[",
                                          "]",
                                          ":",
                                          ",",
                                          "\"",
                                          "null",
                                          "true",
                                          "1e400",
                                          "-0",
                                          "\\ud800",
                                          "\\u0000",
                                          "\"response\":",
                                          "\"issues\":[",
                                          "\"startedAt\":"};
  fuzz::Run(corpus, fuzz::Mutator(3, words), [](const std::string& json) {
    intake::v1::SubmitResponseRequest request;
    status::BadRequest bad;
    const absl::Status read = ReadJson(json, request, bad);
    const absl::Status wrong = read.ok() ? bad.ToStatus() : read;
    if (!wrong.ok()) {
      EXPECT_TRUE(ProblemJson(wrong, nullptr, "id").starts_with("{\"type\":"));
      ExpectPointsIntoBody(wrong, json);
      return;
    }
    intake::v1::SubmitResponseRequest again;
    EXPECT_TRUE(ReadJson(WriteJson(request), again, bad).ok());
    EXPECT_TRUE(bad.empty());
    EXPECT_EQ(again.SerializeAsString(), request.SerializeAsString());
  });
}

TEST(HttpFuzz, FormBodies) {
  const std::string part = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n";
  const std::vector<std::string> corpus = {"List-Unsubscribe=One-Click&token=a%20b", part + "--b--\r\n",
                                           "x\r\n" + part + "--b\r\nContent-Disposition: form-data; name=token\r\n\r\n\r\n--b--"};
  const std::vector<std::string> words = {"\r\n",      "\r\n\r\n",
                                          "--b",       "--b--",
                                          "--",        "\"",
                                          ";",         "=",
                                          "&",         "%",
                                          "%ff",       "name=",
                                          "filename=", "Content-Disposition: form-data",
                                          ":",         "\\",
                                          "token",     std::string(1, '\0')};
  for (const FormEncoding& encoding : {FormEncoding(), FormEncoding{"b"}}) {
    fuzz::Run(corpus, fuzz::Mutator(8, words), [&](const std::string& body) {
      fieldwork::v1::UnsubscribeRequest request;
      status::BadRequest bad;
      const absl::Status read = ReadForm(encoding, body, request, bad);
      const absl::Status wrong = read.ok() ? bad.ToStatus() : read;
      if (!read.ok() || !bad.empty()) {
        EXPECT_TRUE(ProblemJson(wrong, nullptr, "id").starts_with("{\"type\":"));
        return;
      }
      // What was read is in the body, as it stands there or encoded.
      EXPECT_LE(request.token().size() + request.list_unsubscribe().size(), body.size());
      EXPECT_TRUE(text::IsValidUtf8(request.token()) && text::IsValidUtf8(request.list_unsubscribe()));
      if (!encoding.boundary.empty()) {
        EXPECT_NE(body.find(request.list_unsubscribe()), body.npos);
      }
    });
  }
}

TEST(HttpFuzz, FormTypes) {
  const std::vector<std::string> corpus = {"multipart/form-data; boundary=\"a b\"; charset=utf-8", "application/x-www-form-urlencoded;a=b",
                                           "multipart/form-data;boundary=----x"};
  fuzz::Run(corpus, fuzz::Mutator(9, {";", "=", "\"", "\\", " ", "\t", "boundary", "charset", "utf-8"}), [](const std::string& type) {
    const auto encoding = FormEncodingOf(type);
    EXPECT_LE(encoding.value_or(FormEncoding()).boundary.size(), 70u);
  });
}

TEST(HttpFuzz, Queries) {
  const std::vector<std::string> corpus = {"questions=q1&questions=q%202&byStratum=STRATUM_PROVINCE&waitForSubmissions=7",
                                           "byGroup=G40&waitForFurtherSubmissions=1", "a=b&&=&%"};
  const HttpRules::Match match = Rules().Find("GET", "/v1/surveys/s/waves/w/tables");
  fuzz::Run(corpus, fuzz::Mutator(4, {"&", "=", "%", "%ff", "+", "by", "waitFor", "questions", "byQuestion="}),
            [&](const std::string& query) {
              const auto message = ReadRequest({.match = match, .query = query}, "");
              if (message.ok()) return;
              EXPECT_EQ(HttpStatusOf(message.status()), 400) << message.status();
              EXPECT_TRUE(ProblemJson(message.status(), match.route, "").ends_with("}"));
            });
}

TEST(HttpFuzz, PathsAndHeaders) {
  const std::vector<std::string> corpus = {"/v1/surveys/s/waves/2022/responses",
                                           "/v1/surveys/%2e%2e/waves/a%2Fb",
                                           "/v1/keys/a/revocation",
                                           "//",
                                           "*",
                                           "gzip;q=0.5, *;q=0",
                                           "\"e1\", W/\"e2\"",
                                           "text/event-stream;q=0.1, */*",
                                           "response.answers[3].code[q]"};
  fuzz::Run(corpus, fuzz::Mutator(5, {"/", "//", "%", "%2f", "%00", "surveys", "..", "-", "q=", "\"", "[", "]", "."}),
            [](const std::string& text) {
              for (const char* verb : {"GET", "POST", ""}) {
                const HttpRules::Match match = Rules().Find(verb, text);
                if (match.route == nullptr) continue;
                EXPECT_EQ(match.values.size(), match.route->variables.size());
                EXPECT_TRUE(text.starts_with("/v1/") && !text.ends_with("/")) << text;
                for (const std::string& value : match.values) EXPECT_EQ(value.find("//"), std::string::npos);
              }
              PreferredType(text, {kJsonType, kEventsType});
              TakesGzip(text);
              IsOfType(text, kJsonType);
              HasTag(text, "\"e1\"");
              const auto tag = ReadIfMatch(text);
              EXPECT_TRUE(!tag.ok() || tag->value_or("").find('"') == std::string::npos);
              const FieldLocation at = LocateField(*Rules().Find("POST", "/v1/surveys/s/waves/w/responses").route, text);
              EXPECT_FALSE(at.in.empty());
            });
}

TEST(HttpFuzz, Templates) {
  const std::vector<std::string> corpus = {"/v1/{name=surveys/*/waves/*}", "/v1/{header.parent=a/*}/b/{name}", "/v1/a-b_c.d", "/{name=**}",
                                           "/v1/{name"};
  fuzz::Run(corpus, fuzz::Mutator(6, {"/", "{", "}", "=", "*", "**", ":", "name", "header.parent", "."}, 200), [](const std::string& path) {
    // The compiler of contracts would not take it.
    if (!text::IsValidUtf8(path)) return;
    google::protobuf::FileDescriptorProto file;
    file.set_name("fuzz.proto");
    file.add_dependency("peiling/intake/v1/intake.proto");
    auto& service = *file.add_service();
    service.set_name("Fuzz");
    auto& method = *service.add_method();
    method.set_name("Fuzz");
    method.set_input_type(".peiling.intake.v1.ImportResponsesRequest");
    method.set_output_type(".peiling.intake.v1.ImportResponsesResponse");
    auto& rule = *method.mutable_options()->MutableExtension(google::api::http);
    rule.set_post(path);
    rule.set_body("*");
    google::protobuf::DescriptorPool pool(google::protobuf::DescriptorPool::generated_pool());
    const google::protobuf::FileDescriptor* built = pool.BuildFile(file);
    if (built == nullptr) return;
    const auto rules = HttpRules::Of({built->service(0)});
    if (!rules.ok()) return;
    // What it says can be asked.
    std::string asked;
    for (const PathSegment& segment : rules->routes()[0]->segments)
      absl::StrAppend(&asked, "/", segment.literal.empty() ? "x" : segment.literal);
    EXPECT_NE(rules->Find("POST", asked).route, nullptr) << asked;
  });
}

}  // namespace
}  // namespace peiling::gateway
