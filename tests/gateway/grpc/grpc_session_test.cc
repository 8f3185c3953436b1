// Connections as clients make them, right and wrong, over sockets.
#include "services/gateway/grpc/grpc_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "tests/common/eventually.h"
#include "tests/gateway/grpc/http2_client.h"

namespace peiling::gateway {
namespace {

using http2::Client;
using http2::Frame;
using http2::Framed;
using http2::Number;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::Pair;
using Message = std::optional<grpc::ByteBuffer>;

constexpr size_t kWindow = 65'535;
// What a head takes, at most.
constexpr double kHead = 1'000;
constexpr size_t kLarge = 4 << 20;

grpc::ByteBuffer ToMessage(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

// Gives back every message, then ends well.
struct Echo : std::enable_shared_from_this<Echo> {
  explicit Echo(std::shared_ptr<RpcStream> on) : stream(std::move(on)) {}
  void Next() {
    stream->Read([self = shared_from_this()](absl::StatusOr<Message> message) { self->OnRead(std::move(message)); });
  }
  void OnRead(absl::StatusOr<Message> message) {
    if (!message.ok()) return stream->Finish(status::ToGrpc(message.status()), {}, nullptr);
    if (!message->has_value()) return stream->Finish(grpc::Status::OK, {}, nullptr);
    stream->Write(**message, [self = shared_from_this()] { self->Next(); });
  }

  const std::shared_ptr<RpcStream> stream;
};

// What is asked for is the method:
//   /echo       every message comes back
//   /large      4 MiB
//   /end        OK at once
//   /open       as /echo, and anybody may make it
//   /metadata   what came with the call as trailers
//   any other   nothing is done until the test does
class GrpcSessionTest : public testing::Test {
 protected:
  void Start(const GrpcLimits& limits = {}, const ConnectionServerOptions& options = {.listen = "127.0.0.1:0", .protocol = "test"}) {
    shared_ = std::make_shared<GrpcShared>();
    shared_->limits = limits;
    shared_->handler = [this](std::shared_ptr<RpcStream> stream) { Handle(std::move(stream)); };
    auto server =
        ConnectionServer::Start(options, [shared = shared_](std::unique_ptr<Transport> transport, std::function<void(bool)> changed) {
          return MakeGrpcSession(std::move(transport), shared, std::move(changed));
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // Whatever has happened, nothing is left of it.
  void TearDown() override {
    if (server_ == nullptr) return;
    server_->Stop(milliseconds(0));
    server_.reset();
    EXPECT_EQ(shared_->unread_bytes, 0);
    EXPECT_EQ(shared_.use_count(), 1) << "a session is never gone";
    EXPECT_EQ(begun_, over_) << "calls that are told of twice, or never";
  }

  int port() const { return server_->port(); }

  // A call that nothing is done with yet.
  std::shared_ptr<RpcStream> Held(const std::string& method) {
    std::shared_ptr<RpcStream> stream;
    EXPECT_TRUE(Eventually([&] {
      const std::lock_guard lock(mutex_);
      const auto found = held_.find(method);
      if (found != held_.end()) stream = found->second;
      return stream != nullptr;
    })) << method;
    return stream;
  }
  void EndHeld(const std::string& method, const grpc::Status& status = grpc::Status::OK) {
    const auto stream = Held(method);
    stream->Dispatch([this, method, stream, status] {
      End(*stream, status);
      Drop(method);
    });
  }
  void ReadHeld(const std::string& method) {
    const auto stream = Held(method);
    stream->Dispatch([this, method, stream] {
      Drop(method);
      std::make_shared<Echo>(stream)->Next();
    });
  }

  // Whether another call goes well.
  static bool Serves(Client& client) {
    const uint32_t call = client.Call("/echo");
    client.SendData(call, Framed("hello"), true);
    client.AwaitEnd(call);
    return client.answer(call).status() == "0" && client.answer(call).data == Framed("hello");
  }
  bool Serves() {
    Client client(port());
    return Serves(client);
  }

  std::shared_ptr<GrpcShared> shared_;
  std::unique_ptr<ConnectionServer> server_;
  std::atomic<int> begun_{0};
  // Calls whose end was told of, and those of them whose clients have gone.
  std::atomic<int> over_{0};
  std::atomic<int> gone_{0};
  std::atomic<int> overdue_{0};

 private:
  void Handle(std::shared_ptr<RpcStream> stream) {
    const std::string method = stream->head().method;
    if (method == "/open") stream->MakeOpen();
    if (method == "/echo" || method == "/open") return std::make_shared<Echo>(std::move(stream))->Next();
    ++begun_;
    stream->OnGone([this, method] {
      ++gone_;
      ++over_;
      Drop(method);
    });
    stream->OnOverdue([this](bool) { ++overdue_; });
    if (method == "/large") stream->Write(ToMessage(std::string(kLarge, 'x')), nullptr);
    if (method == "/large" || method == "/end") return End(*stream, grpc::Status::OK);
    if (method == "/metadata") {
      Headers trailers = stream->head().metadata;
      if (stream->head().timeout) trailers.emplace_back("timeout", absl::StrCat(stream->head().timeout->count()));
      return stream->Finish(grpc::Status::OK, trailers, [this] { ++over_; });
    }
    const std::lock_guard lock(mutex_);
    held_[method] = std::move(stream);
  }
  void End(RpcStream& stream, const grpc::Status& status) {
    stream.Finish(status, {}, [this] { ++over_; });
  }
  void Drop(const std::string& method) {
    const std::lock_guard lock(mutex_);
    held_.erase(method);
  }

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<RpcStream>> held_;
};

// Heads.

TEST_F(GrpcSessionTest, AnswersACall) {
  Start();
  Client client(port());
  const uint32_t call = client.Call("/echo");
  client.SendData(call, Framed("hello"), true);
  ASSERT_TRUE(client.AwaitEnd(call));
  const auto& answer = client.answer(call);
  EXPECT_THAT(answer.headers,
              ElementsAre(Pair(":status", "200"), Pair("content-type", "application/grpc"), Pair("grpc-accept-encoding", "identity")));
  EXPECT_THAT(http2::MessagesIn(answer.data), ElementsAre("hello"));
  EXPECT_THAT(answer.trailers, ElementsAre(Pair("grpc-status", "0")));
}

TEST_F(GrpcSessionTest, WhatIsNoCallIsRefusedInTheWordsOfHttp) {
  Start();
  Client client(port());
  for (const char* verb : {"GET", "PUT", "OPTIONS"}) {
    Headers head = http2::CallHead("/end");
    head[0].second = verb;
    const uint32_t call = client.Open(head);
    ASSERT_TRUE(client.Await([&] { return client.answer(call).reset.has_value(); }));
    EXPECT_THAT(client.answer(call).headers, ElementsAre(Pair(":status", "405"))) << verb;
    EXPECT_EQ(client.answer(call).reset, http2::kNoError);
  }
  for (const char* type : {"", "text/plain", "application/json", "application/grpc-web", "application/grpc-web+proto"}) {
    Headers head = http2::CallHead("/end");
    head[4].second = type;
    const uint32_t call = client.Open(head, true);
    ASSERT_TRUE(client.AwaitEnd(call));
    EXPECT_THAT(client.answer(call).headers, ElementsAre(Pair(":status", "415"))) << type;
  }
  for (const char* type : {"application/grpc", "application/grpc+proto", "application/grpc;x"}) {
    Headers head = http2::CallHead("/end");
    head[4].second = type;
    const uint32_t call = client.Open(head, true);
    ASSERT_TRUE(client.AwaitEnd(call));
    EXPECT_EQ(client.answer(call).status(), "0") << type;
  }
}

TEST_F(GrpcSessionTest, BodyOfWhatIsRefusedTakesNoRoomFromOthers) {
  Start();
  Client client(port());
  for (int i = 0; i < 40; ++i) {
    Headers head = http2::CallHead("/end");
    head[4].second = "text/plain";
    const uint32_t call = client.Open(head);
    client.SendData(call, std::string(kWindow, 'x'));
    ASSERT_TRUE(client.AwaitEnd(call));
    ASSERT_TRUE(client.Await([&] { return client.window(0) > 2 * static_cast<int64_t>(kWindow); })) << i;
  }
  EXPECT_TRUE(Serves(client));
}

TEST_F(GrpcSessionTest, MetadataHasAMostBytes) {
  Start({.max_metadata_bytes = 1000});
  Client client(port());
  const uint32_t good = client.Call("/end", {{"x", std::string(500, 'x')}});
  ASSERT_TRUE(client.AwaitEnd(good));
  EXPECT_EQ(client.answer(good).status(), "0");
  Headers many;
  for (int i = 0; i < 1000; ++i) many.emplace_back("x", "y");
  Headers early = http2::CallHead("/end");
  early.insert(early.begin() + 4, {"x", std::string(1000, 'x')});
  for (const Headers& head : {http2::CallHead("/end", {{"x", std::string(1000, 'x')}}), early}) {
    const uint32_t call = client.Open(head);
    ASSERT_TRUE(client.AwaitEnd(call));
    EXPECT_EQ(client.answer(call).status(), "8");
    EXPECT_THAT(client.answer(call).header("grpc-message"), testing::HasSubstr("metadata"));
  }
  // What is far more is not even looked at.
  for (const Headers& head : {http2::CallHead("/end", {{"x", std::string(40'000, 'x')}}), http2::CallHead("/end", many)}) {
    const uint32_t call = client.Open(head);
    EXPECT_TRUE(client.Await([&] { return client.answer(call).reset.has_value(); }));
  }
  EXPECT_TRUE(Serves(client));
}

TEST_F(GrpcSessionTest, MetadataThatGrpcDoesNotAllowIsRefused) {
  Start();
  Client client(port());
  for (const auto& [name, value] : Headers{{"x-a", "caf\xc3\xa9"}, {"x-a", "a\tb"}, {"x!", "y"}, {"x~y", "z"}, {"-bin", "\xff"}}) {
    const uint32_t call = client.Call("/metadata", {{name, value}});
    ASSERT_TRUE(client.AwaitEnd(call)) << name;
    EXPECT_EQ(client.answer(call).status(), "13") << name;
    EXPECT_NE(client.answer(call).header("grpc-status-details-bin"), "") << "why, for programs";
  }
}

TEST_F(GrpcSessionTest, CompressedCallsAreRefused) {
  Start();
  Client client(port());
  const uint32_t gzip = client.Call("/end", {{"grpc-encoding", "gzip"}}, true);
  ASSERT_TRUE(client.AwaitEnd(gzip));
  EXPECT_EQ(client.answer(gzip).status(), "12");
  EXPECT_EQ(client.answer(gzip).header("grpc-accept-encoding"), "identity");
  const uint32_t identity = client.Call("/end", {{"grpc-encoding", "identity"}}, true);
  ASSERT_TRUE(client.AwaitEnd(identity));
  EXPECT_EQ(client.answer(identity).status(), "0");
}

TEST_F(GrpcSessionTest, MetadataAndTimeoutAreTold) {
  Start();
  Client client(port());
  const uint32_t call =
      client.Call("/metadata", {{"x-own", "1"}, {"x-own", "2"}, {"x-bin", "YQ==,YWI"}, {"grpc-timeout", "5m"}, {"user-agent", "me"}}, true);
  ASSERT_TRUE(client.AwaitEnd(call));
  EXPECT_THAT(client.answer(call).trailers,
              ElementsAre(Pair("grpc-status", "0"), Pair("te", "trailers"), Pair("x-own", "1"), Pair("x-own", "2"), Pair("x-bin", "YQ"),
                          Pair("x-bin", "YWI"), Pair("user-agent", "me"), Pair("timeout", "5000000")));
}

TEST_F(GrpcSessionTest, EndThatHttp2CannotCarryEndsTheCallAllTheSame) {
  Start({.max_metadata_bytes = 200'000});
  Client client(port());
  const uint32_t call = client.Call("/metadata", {{"x", std::string(60'000, 'x')}, {"y", std::string(60'000, 'y')}}, true);
  ASSERT_TRUE(client.Await([&] { return client.answer(call).reset.has_value(); }));
  EXPECT_EQ(client.answer(call).reset, http2::kInternalError);
  EXPECT_TRUE(Serves(client));
}

TEST_F(GrpcSessionTest, MalformedMetadataAndTimeoutAreRefused) {
  Start();
  Client client(port());
  for (const Headers& head : {Headers{{"x-bin", "!"}}, Headers{{"grpc-timeout", "soon"}}, Headers{{"grpc-timeout", "123456789S"}}}) {
    const uint32_t call = client.Call("/end", head, true);
    ASSERT_TRUE(client.AwaitEnd(call));
    EXPECT_EQ(client.answer(call).status(), "13") << head[0].first;
  }
}

// Messages.

TEST_F(GrpcSessionTest, MessagesMayBeCutAnyhow) {
  Start();
  std::string messages;
  std::vector<std::string> sent;
  for (int i = 0; i < 500; ++i) messages += Framed(sent.emplace_back(std::string(i % 7, 'x') + std::to_string(i)));
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{1000}, messages.size()}) {
    Client client(port());
    const uint32_t call = client.Call("/echo");
    for (size_t at = 0; at < messages.size(); at += piece) {
      ASSERT_TRUE(client.Await([&] { return client.window(call) > 16'384; }));
      client.SendData(call, std::string_view(messages).substr(at, piece));
    }
    client.SendData(call, "", true);
    ASSERT_TRUE(client.AwaitEnd(call));
    EXPECT_EQ(client.answer(call).status(), "0");
    EXPECT_EQ(http2::MessagesIn(client.answer(call).data), sent) << "in pieces of " << piece;
  }
}

TEST_F(GrpcSessionTest, WhatIsNoMessageEndsTheCall) {
  Start({.max_message_bytes = 1000});
  const std::tuple<std::string, bool, const char*> cases[] = {{std::string("\1\0\0\0\1x", 6), false, "12"},
                                                              {std::string("\1\0\0\0\1x", 6), true, "12"},
                                                              {Framed(std::string(1001, 'x')), false, "8"},
                                                              {std::string("\0\xff\xff\xff\xff", 5), false, "8"},
                                                              {std::string("\0\0\0\3\xe9", 5), false, "8"},
                                                              {Framed("hello").substr(0, 8), true, "13"},
                                                              {Framed("hello").substr(0, 4), true, "13"},
                                                              {Framed("hello").substr(0, 5), true, "13"},
                                                              {Framed("hello") + Framed("x").substr(0, 5), true, "13"}};
  Client client(port());
  for (const auto& [bytes, end, status] : cases) {
    const uint32_t call = client.Call("/echo");
    client.SendData(call, bytes, end);
    ASSERT_TRUE(client.AwaitEnd(call));
    EXPECT_EQ(client.answer(call).status(), status);
    EXPECT_NE(client.answer(call).header("grpc-message"), "internal error") << "it is its client's fault, who is told";
  }
  const uint32_t largest = client.Call("/echo");
  client.SendData(largest, Framed(std::string(1000, 'x')), true);
  ASSERT_TRUE(client.AwaitEnd(largest));
  EXPECT_EQ(client.answer(largest).status(), "0");
}

TEST_F(GrpcSessionTest, TrailersOfAClientEndItsMessages) {
  Start();
  Client client(port());
  http2::HeadWriter heads;
  client.Send(heads.Write(1, http2::CallHead("/echo"), false));
  client.SendData(1, Framed("hello"));
  client.Send(heads.Write(1, {{"x", "y"}}, true));
  ASSERT_TRUE(client.AwaitEnd(1));
  EXPECT_EQ(client.answer(1).status(), "0");
  EXPECT_EQ(client.answer(1).data, Framed("hello"));
}

TEST_F(GrpcSessionTest, LargeMessageComesAndGoesAsFastAsItsClientHasIt) {
  Start();
  Client client(port());
  const std::string message = Framed(std::string(kLarge, 'm'));
  const uint32_t call = client.Call("/echo");
  for (size_t at = 0; at < message.size(); at += 8192) {
    const std::string_view piece = std::string_view(message).substr(at, 8192);
    ASSERT_TRUE(client.Await([&] { return std::min(client.window(call), client.window(0)) >= static_cast<int64_t>(piece.size()); })) << at;
    client.SendData(call, piece, at + 8192 >= message.size());
  }
  ASSERT_TRUE(client.AwaitEnd(call));
  EXPECT_EQ(client.answer(call).status(), "0");
  EXPECT_TRUE(client.answer(call).data == message);
}

TEST_F(GrpcSessionTest, AnswerWaitsForTheWindow) {
  Start();
  Client client(port());
  client.opens_windows = false;
  const uint32_t call = client.Call("/large", {}, true);
  size_t open = kWindow;
  const size_t whole = kLarge + 5;
  while (open < whole) {
    ASSERT_TRUE(client.Await([&] { return client.answer(call).data.size() == open; })) << open;
    ASSERT_TRUE(client.AwaitPong());
    ASSERT_EQ(client.answer(call).data.size(), open) << "more than there is a window for";
    EXPECT_FALSE(client.answer(call).ended);
    EXPECT_EQ(over_, 0);
    const uint32_t more = 100'000;
    client.OpenWindow(0, more);
    client.OpenWindow(call, more);
    open += more;
  }
  ASSERT_TRUE(client.AwaitEnd(call));
  EXPECT_EQ(client.answer(call).status(), "0");
  EXPECT_EQ(client.answer(call).data.size(), whole);
}

TEST_F(GrpcSessionTest, WhoeverHasNotSaidItsLastNeedNot) {
  Start();
  Client client(port());
  const uint32_t open = client.Call("/end");
  ASSERT_TRUE(client.Await([&] { return client.answer(open).reset.has_value(); }));
  EXPECT_TRUE(client.answer(open).ended) << "the trailers come first";
  EXPECT_EQ(client.answer(open).status(), "0");
  EXPECT_EQ(client.answer(open).reset, http2::kNoError);
  const uint32_t ended = client.Call("/end", {}, true);
  ASSERT_TRUE(client.AwaitEnd(ended));
  ASSERT_TRUE(client.AwaitPong());
  EXPECT_EQ(client.answer(ended).reset, std::nullopt);
}

// Flow control, and room.

TEST_F(GrpcSessionTest, UnreadCallHoldsItsClientUpAndNoOther) {
  Start();
  Client client(port());
  const uint32_t held = client.Call("/held");
  const std::string message = Framed(std::string(kWindow + 1000 - 5, 'x'));
  client.SendData(held, message.substr(0, kWindow));
  ASSERT_TRUE(client.AwaitPong());
  EXPECT_EQ(client.window(held), 0) << "nobody has read";
  EXPECT_NEAR(static_cast<double>(shared_->unread_bytes), kWindow, kHead);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Serves(client));
  EXPECT_EQ(client.window(held), 0);
  ++over_;  // Of calls that are echoed nobody is told.
  ReadHeld("/held");
  ASSERT_TRUE(client.Await([&] { return client.window(held) >= 1000; }));
  client.SendData(held, message.substr(kWindow), true);
  ASSERT_TRUE(client.AwaitEnd(held));
  EXPECT_TRUE(client.answer(held).data == message);
}

TEST_F(GrpcSessionTest, WindowOpensForWhatIsReadAlone) {
  Start();
  Client client(port());
  const uint32_t held = client.Call("/held");
  const std::string message = Framed("0123456789");
  std::string messages;
  while (messages.size() < kWindow) messages += message;
  client.SendData(held, messages);
  ASSERT_TRUE(client.AwaitPong());
  ASSERT_EQ(client.window(held), 0);
  const auto stream = Held("/held");
  std::promise<void> read;
  stream->Dispatch([&] { stream->Read([&](const absl::StatusOr<Message>&) { read.set_value(); }); });
  read.get_future().wait();
  ASSERT_TRUE(client.AwaitPong());
  EXPECT_EQ(client.window(held), 0) << "one of many is read";
  EXPECT_GE(shared_->unread_bytes, static_cast<int64_t>(kWindow - message.size()));
  ++over_;  // Of calls that are echoed nobody is told.
  ReadHeld("/held");
  ASSERT_TRUE(client.Await([&] { return client.window(held) > static_cast<int64_t>(kWindow / 2); }));
  client.SendData(held, "", true);
  ASSERT_TRUE(client.AwaitEnd(held));
  EXPECT_TRUE(client.answer(held).data == messages.substr(message.size()));
}

TEST_F(GrpcSessionTest, WhoeverSendsMoreThanTheWindowIsStopped) {
  Start();
  Client client(port());
  const uint32_t held = client.Call("/held");
  client.SendData(held, std::string(kWindow + 1, 'x'));
  ASSERT_TRUE(client.Await([&] { return client.answer(held).reset || !client.goaways().empty(); }));
  EXPECT_EQ(client.answer(held).reset ? *client.answer(held).reset : client.goaways()[0].code, http2::kFlowControlError);
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
  EXPECT_TRUE(Serves());
}

TEST_F(GrpcSessionTest, WhatWasNotReadOfACallThatIsOverTakesNoRoom) {
  Start();
  Client client(port());
  for (int i = 0; i < 40; ++i) {
    const uint32_t held = client.Call(absl::StrCat("/held", i));
    client.SendData(held, std::string(kWindow, 'x'));
    ASSERT_TRUE(client.AwaitPong());
    if (i % 2 == 0) {
      client.Reset(held);
    } else {
      EndHeld(absl::StrCat("/held", i));
    }
    ASSERT_TRUE(client.Await([&] { return client.window(0) > 2 * static_cast<int64_t>(kWindow); })) << "after " << i << " calls";
  }
  EXPECT_TRUE(Serves(client));
  EXPECT_EQ(shared_->unread_bytes, 0);
}

TEST_F(GrpcSessionTest, WhatNobodyWillReadIsDroppedAtOnce) {
  Start();
  Client client(port());
  client.opens_windows = false;
  const uint32_t held = client.Call("/held");
  client.SendData(held, std::string(kWindow, 'x'));
  ASSERT_TRUE(Eventually([&] { return shared_->unread_bytes >= static_cast<int64_t>(kWindow); }));
  const auto stream = Held("/held");
  stream->Dispatch([stream] { stream->Write(ToMessage(std::string(kLarge, 'x')), nullptr); });
  EndHeld("/held");
  EXPECT_TRUE(Eventually([&] { return shared_->unread_bytes < kHead; }));
  client.SendData(held, std::string(kWindow, 'x'));
  ASSERT_TRUE(client.AwaitPong());
  EXPECT_LT(shared_->unread_bytes, kHead);
  EXPECT_EQ(over_, 0) << "it has not taken the answer yet";
}

TEST_F(GrpcSessionTest, WhoeverSendsMoreThanThereIsRoomForIsSentAway) {
  Start({.max_unread_bytes = 100'000});
  Client other(port());
  ASSERT_TRUE(other.AwaitPong());
  Client client(port());
  client.SendData(client.Call("/held/1"), std::string(kWindow, 'x'));
  ASSERT_TRUE(client.AwaitPong());
  EXPECT_EQ(gone_, 0);
  client.SendData(client.Call("/held/2"), std::string(kWindow, 'x'));
  ASSERT_TRUE(client.AwaitClosed());
  ASSERT_EQ(client.goaways().size(), 1u);
  EXPECT_EQ(client.goaways()[0].code, http2::kEnhanceYourCalm);
  EXPECT_TRUE(Eventually([&] { return gone_ == 2 && shared_->unread_bytes == 0; }));
  EXPECT_TRUE(Serves(other));
  EXPECT_TRUE(Serves());
}

TEST_F(GrpcSessionTest, WhoeverHoldsMuchOfTheRoomGoesAndNotTheNext) {
  Start({.max_unread_bytes = 100'000});
  Client much(port()), little(port());
  much.SendData(much.Call("/held/1"), std::string(kWindow, 'x'));
  const uint32_t more = much.Call("/held/2");
  much.SendData(more, std::string(30'000, 'x'));
  ASSERT_TRUE(much.AwaitPong());
  const uint32_t held = little.Call("/held/little");
  little.SendData(held, std::string(5'000, 'x'));
  ASSERT_TRUE(little.AwaitPong());
  EXPECT_GT(shared_->unread_bytes, 100'000);
  EXPECT_EQ(gone_, 0);
  much.SendData(more, "x");
  ASSERT_TRUE(much.AwaitClosed());
  EXPECT_EQ(much.goaways().at(0).code, http2::kEnhanceYourCalm);
  EXPECT_TRUE(Eventually([&] { return gone_ == 2; }));
  EndHeld("/held/little");
  ASSERT_TRUE(little.AwaitEnd(held));
  EXPECT_EQ(little.answer(held).status(), "0");
}

TEST_F(GrpcSessionTest, CallsThatAnybodyMayMakeHaveSmallMessages) {
  Start();
  Client client(port());
  for (const auto& [bytes, status] : {std::pair(4096, "0"), std::pair(4097, "8")}) {
    const uint32_t call = client.Call("/open");
    client.SendData(call, Framed(std::string(bytes, 'x')), true);
    ASSERT_TRUE(client.AwaitEnd(call));
    EXPECT_EQ(client.answer(call).status(), status) << bytes;
  }
}

TEST_F(GrpcSessionTest, CallsThatAnybodyMayMakeKeepNobodyOut) {
  Start({}, {.listen = "127.0.0.1:0", .threads = 1, .max_connections = 1, .protocol = "test"});
  Client open(port());
  open.Call("/open");
  ASSERT_TRUE(open.AwaitPong());
  Client client(port());
  client.Call("/held");
  EXPECT_TRUE(client.AwaitPong());
  EXPECT_TRUE(open.AwaitClosed());
  Client late(port());
  EXPECT_TRUE(late.AwaitClosed()) << "other calls are not pushed out";
  EXPECT_TRUE(client.AwaitPong());
}

TEST_F(GrpcSessionTest, StreamsBeyondTheMostAreRefused) {
  Start({.max_streams = 3});
  Client client(port());
  // From its own settings on it knows better: then it is at fault.
  for (const bool knows : {false, true}) {
    SCOPED_TRACE(knows);
    Client one(port());
    ASSERT_TRUE(!knows || one.AwaitPong());
    for (int i = 0; i < 3; ++i) one.Call(absl::StrCat("/held/", i));
    const uint32_t beyond = one.Call("/held/3");
    ASSERT_TRUE(one.Await([&] { return one.answer(beyond).reset || !one.goaways().empty(); }));
    EXPECT_EQ(one.answer(beyond).reset ? *one.answer(beyond).reset : one.goaways()[0].code,
              knows ? http2::kProtocolError : http2::kRefusedStream);
    EXPECT_TRUE(Serves(client));
    one.Close();
    EXPECT_TRUE(Eventually([&] { return gone_ == (knows ? 6 : 3); }));
  }
}

// Time.

TEST_F(GrpcSessionTest, WhoeverSaysNothingIsSentAway) {
  Start({.preface_time = milliseconds(100)});
  Client silent(port(), false), half(port(), false);
  half.Send(std::string(http2::kPreface).substr(0, 10));
  const auto begin = steady_clock::now();
  EXPECT_TRUE(silent.AwaitClosed());
  EXPECT_TRUE(half.AwaitClosed());
  EXPECT_LT(steady_clock::now() - begin, seconds(5));
  Client client(port());
  ASSERT_TRUE(client.AwaitPong());
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_TRUE(Serves(client)) << "who has spoken may wait for longer";
}

TEST_F(GrpcSessionTest, HeadThatIsNotEndedEndsItsConnection) {
  Start({.preface_time = milliseconds(200)});
  Client client(port()), half(port());
  client.Call("/held");
  ASSERT_TRUE(half.AwaitPong()) << "in the middle of a head nothing else may be said";
  std::string head = http2::HeadWriter().Write(1, http2::CallHead("/half"), false);
  head[4] = 0;  // More of it is to come.
  const auto begin = steady_clock::now();
  half.Send(head);
  EXPECT_TRUE(half.AwaitClosed());
  EXPECT_GT(steady_clock::now() - begin, milliseconds(150));
  EXPECT_LT(steady_clock::now() - begin, seconds(10));
  EXPECT_TRUE(client.AwaitPong()) << "its head has ended";
  EXPECT_EQ(begun_, 1);
}

TEST_F(GrpcSessionTest, ClientHasNoLongerThanItsDeadlineToSendAMessage) {
  Start();
  Client client(port());
  const uint32_t call = client.Call("/held", {{"grpc-timeout", "100m"}});
  const auto begin = steady_clock::now();
  const auto stream = Held("/held");
  stream->Dispatch([stream] { stream->Read([](const absl::StatusOr<Message>&) {}); });
  EXPECT_TRUE(Eventually([&] { return overdue_ > 0; }));
  EXPECT_GE(steady_clock::now() - begin, milliseconds(50));
  EXPECT_LT(steady_clock::now() - begin, seconds(10));
  EndHeld("/held", {grpc::StatusCode::DEADLINE_EXCEEDED, "late"});
  ASSERT_TRUE(client.AwaitEnd(call));
  EXPECT_EQ(client.answer(call).status(), "4");
}

TEST_F(GrpcSessionTest, WhoeverAsksNothingIsToldToGo) {
  Start({.preface_time = milliseconds(500), .idle_time = milliseconds(200)});
  Client idle(port()), busy(port()), noisy(port());
  const uint32_t held = busy.Call("/held");
  EXPECT_TRUE(noisy.Await([&] {
    noisy.Send(Frame(http2::kPing, http2::kNone, 0, "12345678"));
    return !noisy.goaways().empty();
  })) << "pings are no calls";
  EXPECT_TRUE(idle.AwaitClosed());
  ASSERT_EQ(idle.goaways().size(), 1u);
  EXPECT_EQ(idle.goaways()[0].code, http2::kNoError);
  ASSERT_TRUE(busy.AwaitPong()) << "with a call under way it is not idle";
  EndHeld("/held");
  ASSERT_TRUE(busy.AwaitEnd(held));
  EXPECT_EQ(busy.answer(held).status(), "0");
  EXPECT_TRUE(busy.AwaitClosed());
}

TEST_F(GrpcSessionTest, OldConnectionsGoWhenTheirCallsHaveEnded) {
  Start({.patience = milliseconds(50), .max_age = milliseconds(100)});
  Client client(port());
  const uint32_t held = client.Call("/held");
  ASSERT_TRUE(client.Await([&] { return client.goaways().size() == 1; }));
  EXPECT_EQ(client.goaways()[0].last, 0x7fffffffu) << "calls on their way are still taken";
  ASSERT_TRUE(client.Await([&] { return client.goaways().size() == 2; }));
  EXPECT_EQ(client.goaways()[1].last, held);
  EXPECT_EQ(client.goaways()[1].code, http2::kNoError);
  const uint32_t late = client.Call("/late");
  ASSERT_TRUE(client.AwaitPong());
  EndHeld("/held");
  ASSERT_TRUE(client.AwaitEnd(held));
  EXPECT_EQ(client.answer(held).status(), "0");
  EXPECT_TRUE(client.AwaitClosed());
  EXPECT_TRUE(client.answer(late).headers.empty());
  EXPECT_EQ(begun_, 1);
  Client idle(port());
  EXPECT_TRUE(idle.AwaitClosed());
  EXPECT_EQ(idle.goaways().size(), 2u);
}

TEST_F(GrpcSessionTest, OldConnectionsEndEvenWhenTheirCallsDoNot) {
  Start({.patience = milliseconds(50), .max_age = milliseconds(50), .max_age_grace = milliseconds(150)});
  Client client(port());
  client.Call("/held");
  EXPECT_TRUE(client.AwaitClosed());
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
}

TEST_F(GrpcSessionTest, SilentClientIsAskedWhetherItIsThere) {
  Start({.patience = milliseconds(50), .ping_after = milliseconds(100), .ping_time = milliseconds(300)});
  Client there(port()), away(port());
  away.answers_pings = false;
  there.Call("/held/there");
  away.Call("/held/away");
  ASSERT_TRUE(there.Await([&] { return there.pings() >= 5; })) << "it answers, and is asked again";
  EXPECT_TRUE(away.AwaitClosed());
  EXPECT_EQ(away.pings(), 1);
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
}

TEST_F(GrpcSessionTest, WhoeverDoesNotTakeItsAnswerIsGivenUp) {
  Start({.patience = milliseconds(100), .least_bytes_per_second = 1 << 30});
  Client client(port());
  client.opens_windows = false;
  const uint32_t call = client.Call("/large", {}, true);
  ASSERT_TRUE(client.Await([&] { return client.answer(call).reset.has_value(); }));
  EXPECT_EQ(client.answer(call).reset, http2::kCancel);
  EXPECT_EQ(over_, 1);
  // Others too that take nothing at all from the socket.
  Client deaf(port());
  deaf.OpenWindow(0, 1 << 30);
  for (int i = 0; i < 8; ++i) deaf.OpenWindow(deaf.Call("/large", {}, true), 1 << 30);
  EXPECT_TRUE(Eventually([&] { return over_ == 9; }));
}

// Stopping.

TEST_F(GrpcSessionTest, StopLetsCallsEnd) {
  Start();
  Client client(port()), idle(port());
  ASSERT_TRUE(idle.AwaitPong());
  const uint32_t held = client.Call("/held");
  Held("/held");
  auto stopped = std::async(std::launch::async, [&] { server_->Stop(seconds(20)); });
  ASSERT_TRUE(client.Await([&] { return !client.goaways().empty(); }));
  EXPECT_EQ(client.goaways()[0].code, http2::kNoError);
  EXPECT_EQ(client.goaways()[0].last, held);
  EXPECT_TRUE(idle.AwaitClosed());
  EXPECT_EQ(idle.goaways().size(), 1u);
  EXPECT_EQ(stopped.wait_for(milliseconds(50)), std::future_status::timeout);
  EndHeld("/held");
  ASSERT_TRUE(client.AwaitEnd(held));
  EXPECT_EQ(client.answer(held).status(), "0");
  EXPECT_TRUE(client.AwaitClosed());
  EXPECT_EQ(stopped.wait_for(seconds(10)), std::future_status::ready);
}

TEST_F(GrpcSessionTest, StopDoesNotWaitForEver) {
  Start();
  Client client(port());
  client.Call("/held");
  Held("/held");
  const auto begin = steady_clock::now();
  server_->Stop(milliseconds(200));
  EXPECT_LT(steady_clock::now() - begin, seconds(5));
  EXPECT_EQ(gone_, 1);
  EXPECT_TRUE(client.AwaitClosed());
}

// Strangers.

TEST_F(GrpcSessionTest, CallsOpenedAndResetInARowDoNoHarm) {
  Start();
  Client other(port());
  Client client(port());
  http2::HeadWriter heads;
  for (uint32_t i = 0; i < 10'000; ++i) {
    const uint32_t stream = 2 * i + 1;
    if (!client.Send(heads.Write(stream, http2::CallHead("/held"), false) +
                     Frame(http2::kResetStream, http2::kNone, stream, Number(http2::kCancel)))) {
      break;
    }
    EXPECT_TRUE(i % 1000 != 0 || Serves(other));
  }
  EXPECT_TRUE(client.AwaitPong() || client.closed());
  EXPECT_TRUE(Serves(other));
  client.Close();
  EXPECT_TRUE(Eventually([&] { return begun_ == gone_; }));
}

TEST_F(GrpcSessionTest, WhoeverReadsNothingIsNotListenedTo) {
  Start({.max_streams = 3});
  Client other(port()), deaf(port());
  http2::HeadWriter heads;
  // Far more than sockets hold, of it and of the answers.
  constexpr size_t kMost = 64 << 20;
  size_t taken = 0;
  uint32_t stream = 1;
  std::string many;
  while (taken < kMost && many.empty()) {
    for (int i = 0; i < 1000; ++i, stream += 2) many += heads.Write(stream, http2::CallHead("/held"), false);
    const size_t sent = deaf.SendSome(many);
    taken += sent;
    many.erase(0, sent);
  }
  EXPECT_LT(taken, kMost) << "refusals pile up";
  EXPECT_TRUE(Serves(other));
  EXPECT_EQ(begun_, 3);
}

TEST_F(GrpcSessionTest, WhatIsNotHttp2EndsTheConnection) {
  Start();
  std::string random;
  for (int i = 0; i < 100'000; ++i) random += static_cast<char>(i * 7919 >> 5);
  const std::string preface = http2::kPreface;
  for (const std::string& said :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(512, 'x'), random, preface + random,
        preface + Frame(http2::kPing, 0, 0, "12345678"), preface + Frame(http2::kSettings, 0, 0, "123"),
        preface + Frame(http2::kSettings, 0, 0, "") + Frame(http2::kData, 0, 0, "x"),
        preface + Frame(http2::kSettings, 0, 0, "") + Frame(http2::kHeaders, http2::kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff"),
        preface + Frame(http2::kSettings, 0, 0, "") + Frame(http2::kHeaders, http2::kEndHeaders, 2, "\x82"),
        preface + Frame(http2::kSettings, 0, 0, "") + Frame(http2::kPing, 0, 0, std::string(20'000, 'x'))}) {
    Client client(port(), false);
    client.Send(said);
    EXPECT_TRUE(client.AwaitClosed()) << absl::CEscape(said.substr(0, 60));
  }
  EXPECT_EQ(begun_, 0);
  EXPECT_TRUE(Serves());
}

TEST_F(GrpcSessionTest, FloodsDoNoHarm) {
  Start();
  Client other(port());
  const std::string preface = http2::kPreface + Frame(http2::kSettings, 0, 0, "");
  http2::HeadWriter heads;
  const std::string head = heads.Write(1, http2::CallHead("/held"), false);
  std::string open_head = head;
  open_head[4] = 0;
  const std::pair<std::string, std::string> floods[] = {{"", Frame(http2::kPing, 0, 0, "12345678")},
                                                        {"", Frame(http2::kSettings, 0, 0, "")},
                                                        {"", Frame(http2::kSettings, 0, 0, std::string("\0\1\0\0\0\0\0\1\0\0\x10\0", 12))},
                                                        {open_head, Frame(http2::kContinuation, 0, 1, "")},
                                                        {open_head, Frame(http2::kContinuation, 0, 1, std::string("\0\1a\1b", 5))},
                                                        {head, Frame(http2::kData, 0, 1, "")},
                                                        {head, Frame(http2::kWindowUpdate, 0, 1, Number(1))},
                                                        {head, Frame(2, 0, 1, std::string("\0\0\0\0\x10", 5))},
                                                        {head, Frame(0x42, 0, 1, "unknown")}};
  for (const auto& [begin, frame] : floods) {
    SCOPED_TRACE(absl::CHexEscape(frame));
    // It reads nothing of what it is told meanwhile.
    Client client(port(), false);
    client.Send(preface + begin);
    std::string many;
    for (int i = 0; i < 1000; ++i) many += frame;
    for (int i = 0; i < 50 && client.Send(many); ++i) {
      ASSERT_TRUE(i % 10 != 0 || Serves(other));
    }
    ASSERT_TRUE(Serves(other));
    client.Close();
  }
  EXPECT_TRUE(Eventually([&] { return begun_ == gone_ && shared_->unread_bytes == 0; }));
}

TEST_F(GrpcSessionTest, ClientMayGoAtAnyTime) {
  Start();
  const std::string message = Framed(std::string(30'000, 'x'));
  for (size_t i = 0; i < 50; ++i) {
    Client client(port());
    for (const char* method : {"/held", "/large", "/echo", "/end"})
      client.SendData(client.Call(method), std::string_view(message).substr(0, i * 600));
    EXPECT_TRUE(i % 3 != 0 || client.Await([&] { return client.answer(3).data.size() > 1000 * i; }));
    if (i % 3 == 1) client.Send(Frame(http2::kData, 0, 1, message).substr(0, i * 100));
    client.Close();
  }
  EXPECT_TRUE(Eventually([&] { return begun_ == over_ && shared_->unread_bytes == 0; }));
}

}  // namespace
}  // namespace peiling::gateway
