// Connections: how many, how slow, how hostile.
#include "services/gateway/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/common/eventually.h"
#include "tests/gateway/http/fixture.h"

namespace peiling::gateway {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr char kGet[] = "GET /v1/surveys/s/waves/2022 HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr char kPost[] = "POST /v1/surveys/s/waves/2022/responses HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";

using HttpServerTest = HttpTest;

// Sends one byte at a time until the other side closes.
void Trickle(Client& client, std::string_view bytes) {
  for (const char c : bytes) {
    if (!client.Send({&c, 1})) return;
    std::this_thread::sleep_for(milliseconds(20));
  }
}

TEST_F(HttpServerTest, ConnectionIsKept) {
  Client client(port());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.Ask("GET", "/v1/surveys/s/waves/2022").status, 200);
}

TEST_F(HttpServerTest, ConnectionIsClosedWhenTheClientWantsThat) {
  Client client(port());
  const Answered answered = client.Ask("GET", "/v1/surveys/s/waves/2022", "Connection: close\r\n");
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(answered.headers.at("connection"), "close");
  EXPECT_TRUE(client.Closed());
  Client old(port());
  old.Send("GET /v1/surveys/s/waves/2022 HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.ReadToEnd(), HasSubstr("\"name\""));
}

TEST_F(HttpServerTest, StreamForHttp10EndsWithTheConnection) {
  Client client(port());
  client.Send("GET /v1/surveys/s/waves/2022/submission-events?partition=1 HTTP/1.0\r\n\r\n");
  const std::string all = client.ReadToEnd();
  EXPECT_THAT(all, HasSubstr("\r\n\r\n{\"submission\""));
  EXPECT_THAT(all, HasSubstr("TOO_MANY_WATCHERS"));
}

TEST_F(HttpServerTest, RequestsInARowAreAnsweredInTheirOrder) {
  Client client(port());
  std::string requests;
  for (int i = 0; i < 200; ++i) absl::StrAppend(&requests, "GET /v1/surveys/s/waves/", i, " HTTP/1.1\r\nHost: a\r\n\r\n");
  client.Send(requests);
  for (int i = 0; i < 200; ++i) EXPECT_THAT(client.Read().body, HasSubstr(absl::StrCat("surveys/s/waves/", i, "\"")));
}

TEST_F(HttpServerTest, WhoSendsOnWithoutReadingIsNotTakenIn) {
  Client client(port());
  client.Send("GET /v1/surveys/s/waves/wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return intake_.waiting == 1; }));
  const std::string piece(64 << 10, 'x');
  std::atomic<size_t> sent = 0;
  const auto sending = std::async(std::launch::async, [&] {
    while (sent < (64u << 20) && client.Send(piece)) sent += piece.size();
  });
  sending.wait_for(std::chrono::seconds(2));
  EXPECT_LT(sent, 32u << 20) << "the server reads on while a call is under way";
  server_.reset();
}

TEST_F(HttpServerTest, BodyNobodyWantsDoesNotHideTheAnswer) {
  Client client(port());
  client.Send("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
  client.Send(std::string(500'000, 'x'));
  const Answered answered = client.Read();
  EXPECT_EQ(answered.status, 404);
  EXPECT_EQ(answered.headers.at("connection"), "close");
  EXPECT_TRUE(client.Closed());
  // A small one is skipped.
  Client second(port());
  second.Send("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(second.Read().status, 404);
  EXPECT_EQ(second.Ask("GET", "/v1/surveys/s/waves/2022").status, 200);
}

TEST_F(HttpServerTest, TellsToGoOnWithABodyThatIsWanted) {
  Client client(port());
  client.Send(absl::StrCat(kPost, "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(client.ReadHead().status, 100);
  client.Send("{}");
  EXPECT_EQ(client.Read().status, 200);
  Client second(port());
  second.Send("POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(second.ReadHead().status, 404);
}

TEST_F(HttpServerTest, BodiesAreBounded) {
  Serve({.max_body_bytes = 1000});
  Client told(port());
  told.Send(absl::StrCat(kPost, "Content-Length: 1001\r\n\r\n"));
  EXPECT_EQ(told.Read().status, 413);
  Client chunked(port());
  chunked.Send(absl::StrCat(kPost, "Transfer-Encoding: chunked\r\n\r\n400\r\n", std::string(1024, ' '), "\r\n"));
  const Answered answered = chunked.Read();
  EXPECT_EQ(answered.status, 413);
  EXPECT_EQ(answered.headers.at("content-type"), "application/problem+json");
  EXPECT_TRUE(Eventually([&] { return door_.ends().size() == 2; }));
}

TEST_F(HttpServerTest, HeadsAreBounded) {
  Client client(port());
  client.Send("GET / HTTP/1.1\r\nX: " + std::string(40 << 10, 'a'));
  EXPECT_EQ(client.Read().status, 431);
  EXPECT_TRUE(client.Closed());
}

TEST_F(HttpServerTest, SlowHeadIsGivenUp) {
  Serve({.head_time = milliseconds(200)});
  Client slow(port());
  Trickle(slow, "GET / HTTP/1.1\r\nHost: a\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n");
  EXPECT_EQ(slow.Read().status, 408);
  EXPECT_TRUE(slow.Closed());
  Client silent(port());
  EXPECT_TRUE(silent.Closed());
}

TEST_F(HttpServerTest, IdleConnectionIsClosed) {
  Serve({.idle_time = milliseconds(200)});
  Client client(port());
  EXPECT_EQ(client.Ask("GET", "/v1/surveys/s/waves/2022").status, 200);
  EXPECT_TRUE(client.Closed());
}

TEST_F(HttpServerTest, SlowBodyIsGivenUp) {
  Serve({.patience = milliseconds(200), .least_bytes_per_second = 1000});
  Client client(port());
  client.Send(absl::StrCat(kPost, "Content-Length: 100\r\n\r\n"));
  Trickle(client, std::string(100, ' '));
  EXPECT_EQ(client.Read().status, 408);
  EXPECT_TRUE(client.Closed());
  EXPECT_TRUE(Eventually([&] { return door_.ends().size() == 1; }));
}

// What anybody may ask.

constexpr char kUnsubscribe[] = "POST /v1/unsubscriptions/t HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";

TEST_F(HttpServerTest, BodiesThatAnybodyMaySendAreSmall) {
  Serve({.max_open_body_bytes = 100});
  Client told(port());
  told.Send(absl::StrCat(kUnsubscribe, "Content-Length: 101\r\n\r\n"));
  EXPECT_EQ(told.Read().status, 413) << "before any of it";
  Client chunked(port());
  chunked.Send(absl::StrCat(kUnsubscribe, "Transfer-Encoding: chunked\r\n\r\n65\r\n", std::string(101, '+'), "\r\n"));
  EXPECT_EQ(chunked.Read().status, 413) << "before the rest of it";
  Client fits(port());
  EXPECT_EQ(fits.Ask("POST", "/v1/unsubscriptions/t", "Content-Type: application/json\r\n", std::string(98, ' ') + "{}").status, 200);
  fits.Send(absl::StrCat(kPost, "Content-Length: 200\r\n\r\n{}", std::string(198, ' ')));
  EXPECT_EQ(fits.Read().status, 200) << "others on the same connection may be large";
}

TEST_F(HttpServerTest, BodiesThatAnybodyMaySendComeWithinTheTimeOfAHead) {
  Serve({.head_time = milliseconds(300), .patience = std::chrono::hours(1)});
  Client client(port());
  client.Send(absl::StrCat(kUnsubscribe, "Content-Length: 100\r\n\r\n"));
  Trickle(client, std::string(100, '+'));
  EXPECT_EQ(client.Read().status, 408);
  EXPECT_TRUE(client.Closed());
}

TEST_F(HttpServerTest, WhoSendsWhatAnybodyMayMakesRoomForOthers) {
  Serve({}, 40);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 40; ++i) {
    slow.push_back(std::make_unique<Client>(port()));
    slow.back()->Send(absl::StrCat(kUnsubscribe, "Content-Length: 100\r\n\r\n"));
  }
  ASSERT_TRUE(Eventually([&] { return door_.arrivals().size() == 40; }));
  Client client(port());
  EXPECT_EQ(client.Ask("GET", "/v1/surveys/s/waves/2022").status, 200);
  EXPECT_TRUE(Eventually([&] { return door_.ends().size() >= 2; })) << "one of them had to go";
}

TEST_F(HttpServerTest, CallThatTakesLongIsNotItsClientsFault) {
  Serve({.head_time = milliseconds(100), .idle_time = milliseconds(100), .patience = milliseconds(100)});
  Client client(port());
  client.Send("GET /v1/surveys/s/waves/wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return intake_.waiting == 1; }));
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_EQ(intake_.cancelled, 0);
}

TEST_F(HttpServerTest, AnswerThatNobodyTakesIsGivenUp) {
  Serve({.patience = milliseconds(200), .least_bytes_per_second = 100 << 20});
  intake_.title_bytes = 3 << 20;
  Client client(port());
  client.LimitReceiveBuffer(4096);
  EXPECT_TRUE(Eventually([&] { return !client.Send(kGet); })) << "the connection goes on";
}

TEST_F(HttpServerTest, WaitingConnectionsMakeRoom) {
  Serve({}, 40);
  std::vector<std::unique_ptr<Client>> idle;
  idle.reserve(200);
  for (int i = 0; i < 200; ++i) idle.push_back(std::make_unique<Client>(port()));
  for (auto& client : idle) client->Send("GET /v1/surveys HTTP/1.1\r\nHo");
  Client client(port());
  EXPECT_EQ(client.Ask("GET", "/v1/surveys/s/waves/2022").status, 200);
  EXPECT_EQ(idle.front()->ReadToEnd(), "");
}

TEST_F(HttpServerTest, ConnectionsAtWorkAreNotEndedForNewOnes) {
  Serve({}, 4);
  std::vector<std::unique_ptr<Client>> busy;
  for (int i = 0; i < 4; ++i) {
    busy.push_back(std::make_unique<Client>(port()));
    busy.back()->Send("GET /v1/surveys/s/waves/wait HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  ASSERT_TRUE(Eventually([&] { return intake_.waiting == 4; }));
  Client one_more(port());
  EXPECT_EQ(one_more.Ask("GET", "/v1/surveys/s/waves/2022").status, 0);
  EXPECT_EQ(intake_.cancelled, 0);
}

TEST_F(HttpServerTest, ManyHostileConnectionsLeaveOthersServed) {
  Serve({}, 500);
  std::vector<std::unique_ptr<Client>> hostile;
  for (int i = 0; i < 900; ++i) {
    hostile.push_back(std::make_unique<Client>(port()));
    const char* const sent[] = {"", "G", "GET / HTTP/1.1\r\nX: ", "\x16\x03\x01",
                                "POST /v1/keys HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"};
    hostile.back()->Send(sent[i % 5]);
  }
  for (int i = 0; i < 20; ++i) {
    Client client(port());
    EXPECT_EQ(client.Ask("GET", "/v1/surveys/s/waves/2022").status, 200);
  }
}

TEST_F(HttpServerTest, StopLetsAnswersUnderWayFinishAndEndsOthersInTime) {
  Client idle(port());
  EXPECT_EQ(idle.Ask("GET", "/v1/surveys/s/waves/2022").status, 200);
  Client waiting(port());
  waiting.Send("GET /v1/surveys/s/waves/wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return intake_.waiting == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  server_->Stop(milliseconds(300));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(250));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(idle.Closed());
  EXPECT_TRUE(waiting.Closed());
  EXPECT_EQ(door_.ends().size(), 2);
}

TEST_F(HttpServerTest, PortThatIsTakenIsSaid) {
  const auto second = StartHttpServer({.listen = absl::StrCat("127.0.0.1:", port())}, {}, [](const std::shared_ptr<Exchange>&) {});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(absl::StrCat(port())));
}

}  // namespace
}  // namespace peiling::gateway
