// Heads and bodies of requests as bytes: what is read, and what is refused so that nobody can be led to read it in another way.
#include "services/gateway/http/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace peiling::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// The status of the answer; 0: it was read.
int Refused(const std::string& head, HttpRequest* request = nullptr) {
  HttpRequest scratch;
  RequestParser parser({});
  const auto problem = parser.ReadHead(head, request == nullptr ? scratch : *request);
  return problem ? problem->status : 0;
}

TEST(RequestParser, ReadsAHead) {
  HttpRequest request;
  ASSERT_EQ(Refused("POST /v1/a%20b?x=1&y=%3f HTTP/1.1\r\nHost: a\r\nX-A:  b c \r\nx-a: d\r\nContent-Length: 3\r\n\r\n", &request), 0);
  EXPECT_EQ(request.verb, "POST");
  EXPECT_EQ(request.path, "/v1/a%20b");
  EXPECT_EQ(request.query, "x=1&y=%3f");
  EXPECT_EQ(request.version, 11);
  EXPECT_TRUE(request.has_body);
  EXPECT_THAT(request.headers, ElementsAre(Pair("host", "a"), Pair("x-a", "b c"), Pair("x-a", "d"), Pair("content-length", "3")));
  EXPECT_EQ(request.Header("x-a"), "b c, d");
}

TEST(RequestParser, TargetsInTheirForms) {
  struct Case {
    const char* target;
    const char* path;
  };
  for (const Case& c :
       std::vector<Case>{{"/", "/"}, {"*", "*"}, {"http://host/v1/a?b", "/v1/a"}, {"https://host:7380/v1", "/v1"}, {"/?a", "/"}}) {
    HttpRequest request;
    EXPECT_EQ(Refused(absl::StrCat("GET ", c.target, " HTTP/1.1\r\nHost: a\r\n\r\n"), &request), 0) << c.target;
    EXPECT_EQ(request.path, c.path);
  }
  for (const char* target : {"v1", "http://host", "http://host?a", "ftp://host/", "/a#b", "/a\\b", "/caf\xc3\xa9", "host:443"}) {
    EXPECT_EQ(Refused(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: a\r\n\r\n")), 400) << target;
  }
}

TEST(RequestParser, RefusesWhatCouldBeReadInTwoWays) {
  struct Case {
    const char* what;
    std::string head;
    int status;
  };
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (const Case& c : std::vector<Case>{
           {"length and chunks", start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
           {"chunks and length", start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
           {"two lengths", start + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
           {"two lengths that are the same", start + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
           {"a list of lengths", start + "Content-Length: 3, 3\r\n\r\n", 400},
           {"a length that is none", start + "Content-Length: +3\r\n\r\n", 400},
           {"a negative length", start + "Content-Length: -1\r\n\r\n", 400},
           {"a length in hexadecimal digits", start + "Content-Length: 0x3\r\n\r\n", 400},
           {"a length too large", start + "Content-Length: 99999999999999999999\r\n\r\n", 400},
           {"an empty length", start + "Content-Length: \r\n\r\n", 400},
           {"twice chunked", start + "Transfer-Encoding: chunked, chunked\r\n\r\n", 501},
           {"two encodings", start + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
           {"another encoding", start + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
           {"an unknown encoding", start + "Transfer-Encoding: xchunked\r\n\r\n", 501},
           {"an encoding in quotes", start + "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
           {"chunks of HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
           {"a space before the colon", start + "Content-Length : 3\r\n\r\n", 400},
           {"a tab before the colon", start + "Transfer-Encoding\t: chunked\r\n\r\n", 400},
           {"a line that goes on", start + "X: a\r\n b\r\n\r\n", 400},
           {"a line that goes on with a tab", start + "X: a\r\n\tb\r\n\r\n", 400},
           {"a first header that goes on", "POST / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
           {"line ends without carriage return", "POST / HTTP/1.1\nHost: a\n\r\n\r\n", 400},
           {"a carriage return alone", start + "X: a\rb\r\n\r\n", 400},
           {"a zero byte", start + std::string("X: a\0b\r\n\r\n", 10), 400},
           {"a control character", start + "X: a\x01\r\n\r\n", 400},
           {"a header without a name", start + ": a\r\n\r\n", 400},
           {"a header without a colon", start + "X\r\n\r\n", 400},
           {"two hosts", start + "Host: b\r\n\r\n", 400},
           {"no host", "POST / HTTP/1.1\r\nX: a\r\n\r\n", 400},
           {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
           {"no version", "GET /\r\nHost: a\r\n\r\n", 400},
           {"HTTP/2", "PRI * HTTP/2.0\r\n\r\n", 505},
           {"HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
           {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
           {"no HTTP", "\x16\x03\x01\x02\r\n\r\n", 400},
           {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
           {"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
           {"a long target", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
       }) {
    EXPECT_EQ(Refused(c.head), c.status) << c.what;
  }
}

TEST(RequestParser, HeadersAreBounded) {
  const auto head = [](int headers, size_t size) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 1; i < headers; ++i) absl::StrAppend(&text, "X: ", std::string(size, 'a'), "\r\n");
    return text + "\r\n";
  };
  EXPECT_EQ(Refused(head(100, 1)), 0);
  EXPECT_EQ(Refused(head(101, 1)), 431);
  EXPECT_EQ(Refused(head(5, 8000)), 0);
  EXPECT_EQ(Refused(head(6, 8000)), 431);
}

TEST(RequestParser, ReadsBodiesInAnyPieces) {
  struct Case {
    std::string head;
    std::string bytes;
    std::string body;
  };
  for (const Case& c : std::vector<Case>{
           {"Content-Length: 5\r\n", "hello", "hello"},
           {"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello"},
           {"Transfer-Encoding: Chunked\r\n", "2;x=y\r\nhe\r\n3\r\nllo\r\n00\r\nTrailer: x\r\n\r\n", "hello"},
           {"Transfer-Encoding: chunked\r\n", "0\r\n\r\n", ""},
       }) {
    for (size_t piece = 1; piece <= c.bytes.size(); ++piece) {
      RequestParser parser({});
      HttpRequest request;
      ASSERT_FALSE(parser.ReadHead("POST / HTTP/1.1\r\nHost: a\r\n" + c.head + "\r\n", request));
      const size_t headers = request.headers.size();
      std::string waiting;
      std::string body;
      for (size_t at = 0; at < c.bytes.size(); at += piece) {
        waiting += c.bytes.substr(at, piece);
        const auto used = parser.ReadBody(waiting, body);
        ASSERT_TRUE(used) << c.bytes << " in pieces of " << piece;
        waiting.erase(0, *used);
      }
      EXPECT_EQ(body, c.body);
      EXPECT_TRUE(parser.done()) << c.bytes << " in pieces of " << piece;
      EXPECT_EQ(waiting, "");
      EXPECT_EQ(request.headers.size(), headers) << "a trailer became a header";
    }
  }
}

TEST(RequestParser, LeavesWhatFollowsTheBody) {
  for (const auto& [head, bytes] : {std::pair("Content-Length: 2", "abGET / HTTP/1.1"),
                                    std::pair("Transfer-Encoding: chunked", "2\r\nab\r\n0\r\n\r\nGET / HTTP/1.1")}) {
    RequestParser parser({});
    HttpRequest request;
    ASSERT_FALSE(parser.ReadHead(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\n", head, "\r\n\r\n"), request));
    std::string body;
    const auto used = parser.ReadBody(bytes, body);
    ASSERT_TRUE(used);
    EXPECT_EQ(body, "ab");
    EXPECT_EQ(std::string_view(bytes).substr(*used), "GET / HTTP/1.1");
  }
}

TEST(RequestParser, RefusesBodiesThatAreNone) {
  for (const std::string bytes : {"x\r\n", "-1\r\n", "5 \r\nhello\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n", "fffffffffffffffff\r\n",
                                  "0x5\r\nhello\r\n\r\n", "5;\x01\r\nhello\r\n", "\r\n"}) {
    RequestParser parser({});
    HttpRequest request;
    ASSERT_FALSE(parser.ReadHead("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
    std::string body;
    const auto used = parser.ReadBody(bytes + std::string(16, '\n'), body);
    EXPECT_FALSE(used) << bytes;
  }
  RequestParser parser({});
  HttpRequest request;
  ASSERT_FALSE(parser.ReadHead("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
  std::string body;
  EXPECT_FALSE(parser.ReadBody("5;" + std::string(10'000, 'a'), body)) << "an extension without an end";
}

TEST(RequestParser, KeepsTheConnectionUnlessToldOtherwise) {
  for (const auto& [head, kept] :
       {std::pair("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true), std::pair("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        std::pair("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false),
        std::pair("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", false)}) {
    RequestParser parser({});
    HttpRequest request;
    ASSERT_FALSE(parser.ReadHead(head, request));
    EXPECT_EQ(parser.keep_alive(), kept) << head;
    EXPECT_TRUE(parser.done());
  }
}

}  // namespace
}  // namespace peiling::gateway
