// Streams of answers and of requests over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/common/eventually.h"
#include "tests/gateway/http/fixture.h"

namespace peiling::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpStreamTest : public HttpTest {
 protected:
  // A client that asked for the events of a partition of the fake's feed.
  std::unique_ptr<Client> Watch(const std::string& query, const std::string& headers = "") {
    auto client = std::make_unique<Client>(port());
    client->Send(absl::StrCat("GET /v1/surveys/s/waves/2022/submission-events?", query, " HTTP/1.1\r\nHost: a\r\n", headers, "\r\n"));
    return client;
  }
};

constexpr char kEvents[] = "Accept: text/event-stream\r\n";

TEST_F(HttpStreamTest, AnswersAreLinesOfJson) {
  const auto client = Watch("");
  const Answered head = client->ReadHead();
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-type"), "application/x-ndjson");
  for (int sequence = 1; sequence <= 5; ++sequence) {
    EXPECT_THAT(client->ReadLine(), StartsWith(absl::StrCat(R"({"submission":{"sequence":")", sequence, "\"")));
  }
  EXPECT_EQ(client->ReadLine(), R"({"caughtUp":{"sequence":"5"}})");
}

TEST_F(HttpStreamTest, AnswersAreEventsWithTheirSequence) {
  const auto client = Watch("", kEvents);
  const Answered head = client->ReadHead();
  EXPECT_EQ(head.headers.at("content-type"), "text/event-stream");
  EXPECT_EQ(head.headers.at("cache-control"), "no-store");
  for (int sequence = 1; sequence <= 5; ++sequence) {
    EXPECT_EQ(client->ReadLine(), absl::StrCat("id: ", sequence));
    EXPECT_THAT(client->ReadLine(), StartsWith(R"(data: {"submission":)"));
    EXPECT_EQ(client->ReadLine(), "");
  }
  EXPECT_EQ(client->ReadLine(), "id: 5");
  EXPECT_EQ(client->ReadLine(), R"(data: {"caughtUp":{"sequence":"5"}})");
}

TEST_F(HttpStreamTest, ResumesAfterTheLastEventWhateverTheQuerySays) {
  const auto client = Watch("afterSequence=1", absl::StrCat(kEvents, "Last-Event-ID: 3\r\n"));
  EXPECT_EQ(client->ReadHead().status, 200);
  EXPECT_EQ(client->ReadLine(), "id: 4");
  EXPECT_EQ(Watch("", absl::StrCat(kEvents, "Last-Event-ID: x\r\n"))->ReadHead().status, 400);
  // A browser sends it to event streams alone.
  const auto lines = Watch("afterSequence=1", "Last-Event-ID: 3\r\n");
  lines->ReadHead();
  EXPECT_THAT(lines->ReadLine(), HasSubstr(R"("sequence":"2")"));
}

TEST_F(HttpStreamTest, ErrorBeforeTheFirstAnswerIsTheStatus) {
  const Answered answered = Watch("partition=2", kEvents)->Read();
  EXPECT_EQ(answered.status, 429);
  EXPECT_EQ(answered.headers.at("retry-after"), "7");
  EXPECT_EQ(answered.headers.at("content-type"), "application/problem+json");
  EXPECT_THAT(answered.body, HasSubstr("TOO_MANY_WATCHERS"));
}

TEST_F(HttpStreamTest, ErrorAfterItIsTheLastLineOrEvent) {
  const Answered lines = Watch("partition=1")->Read();
  EXPECT_EQ(lines.status, 200);
  EXPECT_THAT(lines.body, HasSubstr(R"("sequence":"2")"));
  EXPECT_THAT(lines.body, HasSubstr("\n{\"type\":\"urn:peiling:problem:too-many-watchers\""));
  const Answered events = Watch("partition=1", kEvents)->Read();
  EXPECT_THAT(events.body, HasSubstr("\n\nretry: 7000\nevent: problem\ndata: {\"type\":\"urn:peiling:problem:too-many-watchers\""));
  EXPECT_THAT(events.body, EndsWith("}\n\n"));
  EXPECT_THAT(door_.ends(), ElementsAre(grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::RESOURCE_EXHAUSTED));
}

TEST_F(HttpStreamTest, SilentStreamBeginsAllTheSame) {
  const auto client = Watch("partition=4", kEvents);
  EXPECT_EQ(client->ReadHead().status, 200);
}

TEST_F(HttpStreamTest, WatchEndsWhenWhatItsClientShowedIsWithdrawn) {
  const auto client = Watch("", kEvents);
  EXPECT_EQ(client->ReadHead().status, 200);
  // Five events, and that it has caught up.
  for (int line = 0; line < 6 * 3; ++line) client->ReadLine();
  ASSERT_TRUE(Eventually([&] { return door_.Withdraw(); }));
  EXPECT_EQ(client->ReadLine(), "event: problem");
  EXPECT_THAT(client->ReadLine(), HasSubstr("credentials-withdrawn"));
  EXPECT_TRUE(Eventually([&] { return intake_.cancelled == 1; }));
  EXPECT_TRUE(Eventually([&] { return door_.ends().size() == 1; }));
  EXPECT_THAT(door_.ends(), ElementsAre(grpc::StatusCode::UNAUTHENTICATED));
}

TEST_F(HttpStreamTest, WatchEndsWithItsClient) {
  auto client = Watch("");
  client->ReadHead();
  client.reset();
  EXPECT_TRUE(Eventually([&] { return intake_.cancelled == 1; }));
  EXPECT_TRUE(Eventually([&] { return door_.ends().size() == 1; }));
}

TEST_F(HttpStreamTest, WhatNobodyTakesIsNotTakenFromTheService) {
  intake_.title_bytes = 1000;
  const auto client = Watch("partition=3");
  client->ReadHead();
  uint64_t before = 0;
  EXPECT_TRUE(Eventually([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return std::exchange(before, intake_.sent.load()) == intake_.sent;
  })) << "the gateway goes on taking in what nobody reads";
  EXPECT_LT(intake_.sent * 1000, 32u << 20);
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_THAT(client->ReadLine(), StartsWith(absl::StrCat(R"({"submission":{"sequence":")", i + 1, "\"")));
  }
}

TEST_F(HttpStreamTest, WhoReadsNothingIsGivenUp) {
  Serve({.patience = std::chrono::milliseconds(200)});
  intake_.title_bytes = 1000;
  const auto client = Watch("partition=3");
  client->LimitReceiveBuffer(4096);
  EXPECT_TRUE(Eventually([&] { return intake_.cancelled == 1; }));
  EXPECT_TRUE(Eventually([&] { return door_.ends().size() == 1; }));
}

TEST_F(HttpStreamTest, StreamsEndWhenTheServerStops) {
  const auto client = Watch("");
  client->ReadHead();
  server_.reset();
  EXPECT_TRUE(client->Closed());
  EXPECT_EQ(door_.ends().size(), 1);
}

// Streams of requests.

constexpr char kImports[] = "/v1/surveys/s/waves/2022/imports";
constexpr char kNdjson[] = "Content-Type: application/x-ndjson\r\n";

std::string Line(const std::string& content) { return absl::StrCat(R"({"content":")", absl::Base64Escape(content), "\"}\n"); }

TEST_F(HttpStreamTest, BodyOfLinesIsAStreamOfRequests) {
  Client client(port());
  const Answered answered =
      client.Ask("POST", kImports, kNdjson, absl::StrCat("{\"header\": {}}\n\n", Line("abc"), " \r\n", R"({"content":"ZGU="})"));
  EXPECT_EQ(answered.status, 200) << answered.body;
  EXPECT_THAT(answered.body, HasSubstr("{\"progress\":{\"bytesRead\":\"3\",\"rows\":\"0\"}}\n"));
  EXPECT_THAT(answered.body, HasSubstr("{\"progress\":{\"bytesRead\":\"5\",\"rows\":\"0\"}}\n"));
  EXPECT_THAT(answered.body, HasSubstr(R"("response":"surveys/s/waves/2022")"));
  EXPECT_EQ(client.Ask("GET", "/v1/surveys/s/waves/2022").status, 200) << "the connection goes on";
}

TEST_F(HttpStreamTest, RequestsAndAnswersGoTurnByTurn) {
  Client client(port());
  client.Send(absl::StrCat("POST ", kImports, " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", kNdjson, "\r\n"));
  const auto chunk = [&](const std::string& bytes) { client.Send(absl::StrCat(absl::Hex(bytes.size()), "\r\n", bytes, "\r\n")); };
  chunk("{\"header\": {}}\n");
  for (int i = 1; i <= 50; ++i) {
    const std::string line = Line("0123456789");
    chunk(line.substr(0, 7));
    chunk(line.substr(7));
    if (i == 1) client.ReadHead();
    EXPECT_THAT(client.ReadLine(), HasSubstr(absl::StrCat("\"bytesRead\":\"", 10 * i, "\"")));
  }
  client.Send("0\r\n\r\n");
  EXPECT_THAT(client.ReadLine(), StartsWith(R"({"row":)"));
  EXPECT_EQ(client.ReadLine(), "");
  EXPECT_EQ(client.Ask("GET", "/v1/surveys/s/waves/2022").status, 200);
}

TEST_F(HttpStreamTest, WhoSendsAllBeforeReadingGetsAll) {
  std::string body = "{\"header\": {}}\n";
  for (int i = 0; i < 20'000; ++i) body += Line(std::string(50, 'x'));
  Client client(port());
  const Answered answered = client.Ask("POST", kImports, kNdjson, body);
  EXPECT_EQ(answered.status, 200);
  EXPECT_THAT(answered.body, HasSubstr("\"bytesRead\":\"1000000\""));
}

TEST_F(HttpStreamTest, MistakesInLinesAreNamedWithTheLine) {
  Client client(port());
  Answered answered = client.Ask("POST", kImports, kNdjson, "\n{\"header\": {\"x\": 1}}\n");
  EXPECT_EQ(answered.status, 400);
  EXPECT_THAT(answered.body, HasSubstr(R"({"in":"body","location":{"pointer":"#/header/x"},"detail":"line 2: is not known here"})"));
  Client second(port());
  answered = second.Ask("POST", kImports, kNdjson, "{\"header\": {}}\n{\"header\"\n");
  EXPECT_THAT(answered.body, HasSubstr("line 2: "));
  EXPECT_THAT(answered.body, HasSubstr("BODY_MALFORMED"));
  Client third(port());
  answered = third.Ask("POST", kImports, kNdjson, Line("abc"));
  EXPECT_EQ(answered.status, 400) << "the first line is no header";
  EXPECT_TRUE(Eventually([&] { return door_.ends().size() == 3; }));
}

TEST_F(HttpStreamTest, AnswerMayEndBeforeTheRequests) {
  Client client(port());
  client.Send(absl::StrCat("POST ", kImports, " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", kNdjson, "\r\n"));
  const std::string bytes = absl::StrCat("{\"header\": {}}\n", Line("stop"));
  client.Send(absl::StrCat(absl::Hex(bytes.size()), "\r\n", bytes, "\r\n"));
  const Answered answered = client.Read();
  EXPECT_EQ(answered.status, 400);
  EXPECT_THAT(answered.body, HasSubstr("stopped"));
  EXPECT_EQ(answered.headers.at("connection"), "close");
  EXPECT_TRUE(client.Closed());
}

TEST_F(HttpStreamTest, StreamOfNothingHasWhatThePathSays) {
  Client client(port());
  EXPECT_THAT(client.Ask("POST", kImports, absl::StrCat(kNdjson, "Content-Length: 0\r\n")).body,
              HasSubstr(R"("response":"surveys/s/waves/2022")"));
}

TEST_F(HttpStreamTest, BodyThatBreaksOffEndsTheCall) {
  for (const char* rest : {"zz\r\n", ""}) {
    Client client(port());
    client.Send(absl::StrCat("POST ", kImports, " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", kNdjson,
                             "\r\nf\r\n{\"header\": {}}\n\r\n", rest));
    client.ShutdownSend();
    client.ReadToEnd();
  }
  EXPECT_TRUE(Eventually([&] { return door_.ends().size() == 2; }));
}

TEST_F(HttpStreamTest, LinesAreBounded) {
  Client client(port());
  client.Send(absl::StrCat("POST ", kImports, " HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n", kNdjson, "\r\n"));
  const std::string piece(1 << 20, ' ');
  for (int i = 0; i < 7 && client.Send(piece); ++i) {
  }
  const Answered answered = client.Read();
  EXPECT_EQ(answered.status, 400);
  EXPECT_THAT(answered.body, HasSubstr("LINE_TOO_LONG"));
}

}  // namespace
}  // namespace peiling::gateway
