// HTTP/2 and gRPC as strangers send them: bytes of connections changed anyhow, and good frames in any order. Nothing breaks, every call is
// told of its end once, what is told is HTTP/2, and nothing is left of the connection.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/gateway/grpc/grpc_session.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/wire.h"
#include "tests/gateway/grpc/http2_client.h"

namespace peiling::gateway {
namespace {

using http2::Frame;
using http2::Framed;
using http2::Number;
using Message = std::optional<grpc::ByteBuffer>;

// What a gRPC client has said to a server that gives everything back: calls of one and of several messages, and one that was cancelled.
const std::string& Recorded() {
  static constexpr char kBytes[] =
      "\000\000$\004\000\000\000\000\000\000\002\000\000\000\000\000\003\000"
      "\000\000\000\000\004\000?\377\377\000\005\000?\377\377\000\006\000\000 \000\376\003\000\000\000\001\000\000\004\010\000"
      "\000\000\000\000\000?\000\000\000\000\000\004\001\000\000\000\000\000\000\367\001\004\000\000\000\001@\005:path\005/ech"
      "o@\012:authority\017127.0.0.1:44021\203\206@\014content-type\020application/grpc@\002te\010trailers@\024grpc-accept-enc"
      "oding\027identity, deflate, gzip@\014grpc-timeout\0025S@\012user-agent0grpc-python/1.51.1 grpc-c/29.0.0 (linux; chttp2)"
      "\000\015authorization\010Bearer x\000\005x-bin\004AAEC\000\000\004\010\000\000\000\000\001\000\000\000\005"
      "\000\000\010\000\000\000\000\000\001\000\000\000\000\003one\000\000\004\010\000\000\000\000\000\000\000\000\005\000\000"
      "A\000\000\000\000\000\001\000\000\000\000<twotwotwotwotwotwotwotwotwotwotwotwotwotwotwotwotwotwotwotwo\000\000\010\006"
      "\001\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\001\000\000\000\001\000\000\004\010\000\000\000"
      "\000\001\000\000\000\003\000\000\004\010\000\000\000\000\000\000\000\000\003\000\000\010\006\000\000\000\000\000\000"
      "\000\000\000\000\000\000\000\000\000\004\010\000\000\000\000\001\000\000\000F\000\000\004\010\000\000\000\000\000\000"
      "\000\000F\000\000(\001\004\000\000\000\003@\005:path\005/read\304\203\206\303\302\301@\014grpc-timeout\0055010m\300\000"
      "\000\005\000\000\000\000\000\003\000\000\000\000\000\000\000\004\010\000\000\000\000\003\000\000\000\005\000\000\000"
      "\000\001\000\000\000\003\000\000\025\001\004\000\000\000\005@\005:path\005/late\306\203\206\305\304\303\277\301\000\000"
      "\004\010\000\000\000\000\005\000\000\000\005\000\000\006\000\001\000\000\000\005\000\000\000\000\001x\000\000\004\010"
      "\000\000\000\000\000\000\000\000\005\000\000\004\010\000\000\000\000\005\000\000\000\001\000\000\004\010\000\000\000"
      "\000\000\000\000\000\001\000\000\010\006\000\000\000\000\000\000\000\000\000\000\000\000\001\000\000\010\006\001\000"
      "\000\000\000\000\000\000\000\000\000\000\001\000\000\024\001\004\000\000\000\007@\005:path\005/held\307\203\206\306\305"
      "\304\302\000\000\006\000\000\000\000\000\007\000\000\000\000\001a\000\000\004\003\000\000\000\000\007\000\000\000\010"
      "\000\000\004\010\000\000\000\000\000\000\000\000\006\000\000\010\006\001\000\000\000\000\000\000\000\000\000\000\000"
      "\002\000\000\010\006\000\000\000\000\000\000\000\000\000\000\000\000\002";
  static const auto* const recorded = new std::string(kBytes, sizeof(kBytes) - 1);
  return *recorded;
}

grpc::ByteBuffer Large() {
  static const grpc::Slice slice(std::string(200'000, 'x'));
  return {&slice, 1};
}

// How calls went.
struct Calls {
  int begun = 0;
  int ended = 0;
};

// A call of which is done what its method says; see Begin.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(std::shared_ptr<RpcStream> stream, Calls& calls) : stream_(std::move(stream)), calls_(calls) { ++calls_.begun; }

  void Begin(fuzz::Wire& wire) {
    stream_->OnGone([self = shared_from_this()] { self->OnEnd(); });
    stream_->OnOverdue([self = shared_from_this()](bool) { self->Finish(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "")); });
    const std::string& method = stream_->head().method;
    answers_ = method == "/echo";
    if (method == "/echo" || method == "/read") return Next();
    if (method == "/end") return Finish(grpc::Status(grpc::StatusCode::ABORTED, "\n", std::string(1, '\0')));
    if (method == "/reset") return stream_->Reset();
    if (method == "/late") wire.Later([self = shared_from_this()] { self->AnswerLate(); });
    // Of others nothing is done: they end with their connection.
  }

 private:
  void Next() {
    stream_->Read([self = shared_from_this()](absl::StatusOr<Message> message) { self->OnRead(std::move(message)); });
  }
  void OnRead(absl::StatusOr<Message> message) {
    if (!message.ok()) return Finish(status::ToGrpc(message.status()));
    if (!message->has_value()) return Finish(grpc::Status::OK);
    if (!answers_) return Next();
    stream_->Write(**message, [self = shared_from_this()] { self->Next(); });
  }
  void AnswerLate() {
    stream_->SendHeaders({{"x-own", "1"}, {"x-bin", std::string(3, '\xff')}});
    stream_->Write(Large(), nullptr);
    Finish(grpc::Status::OK);
  }
  void Finish(const grpc::Status& status) {
    if (std::exchange(finished_, true)) return;
    stream_->Finish(status, {{"x-trailer", "1"}}, [self = shared_from_this()] { self->OnOver(); });
  }
  void OnOver() {
    EXPECT_FALSE(std::exchange(over_, true)) << "told twice";
    if (!gone_) ++calls_.ended;
  }
  void OnEnd() {
    EXPECT_FALSE(std::exchange(gone_, true)) << "told twice";
    EXPECT_FALSE(over_) << "told of the end of what has ended";
    ++calls_.ended;
  }

  const std::shared_ptr<RpcStream> stream_;
  Calls& calls_;
  bool answers_ = false;
  bool finished_ = false;
  bool over_ = false;
  bool gone_ = false;
};

// Whole frames, the first of them settings; no stream ends twice.
void ExpectHttp2(std::string_view told) {
  std::set<std::string_view> ended;
  for (bool first = true; !told.empty(); first = false) {
    ASSERT_GE(told.size(), 9u);
    const size_t size =
        size_t{static_cast<uint8_t>(told[0])} << 16 | size_t{static_cast<uint8_t>(told[1])} << 8 | static_cast<uint8_t>(told[2]);
    ASSERT_LE(size, 16'384u) << "larger than any client of ours has allowed";
    ASSERT_LE(9 + size, told.size());
    EXPECT_TRUE(!first || told[3] == http2::kSettings);
    const bool on_stream = told[3] == http2::kData || told[3] == http2::kHeaders;
    const std::string_view stream = told.substr(5, 4);
    EXPECT_FALSE(on_stream && ended.contains(stream)) << "more on a stream after its end";
    if (on_stream && (told[4] & http2::kEndStream) != 0) ended.insert(stream);
    told.remove_prefix(9 + size);
  }
}

// A whole connection of a client that says this; gives the calls that came of it.
int Converse(const std::string& said, size_t piece, bool wakes) {
  fuzz::Wire wire;
  wire.said = said;
  wire.piece = piece;
  wire.wakes = wakes;
  Calls calls;
  const auto shared = std::make_shared<GrpcShared>();
  shared->limits = {.max_message_bytes = 1000, .max_metadata_bytes = 1000, .max_streams = 32, .max_unread_bytes = 100'000};
  using std::chrono::milliseconds;
  // Everything takes too long.
  if (wakes) shared->limits.patience = shared->limits.max_age = shared->limits.ping_after = milliseconds(0);
  shared->handler = [&](std::shared_ptr<RpcStream> stream) { std::make_shared<Call>(std::move(stream), calls)->Begin(wire); };
  int over = 0;
  const std::weak_ptr<Session> alive = [&] {
    const auto session = MakeGrpcSession(std::make_unique<fuzz::Wire::End>(wire), shared, [&](bool ended) { over += ended ? 1 : 0; });
    session->Start();
    return session;
  }();
  wire.Run();
  EXPECT_EQ(over, 1) << "the connection goes on without its client";
  EXPECT_TRUE(alive.expired()) << "the session is never gone";
  EXPECT_EQ(shared->unread_bytes, 0);
  EXPECT_EQ(calls.begun, calls.ended);
  ExpectHttp2(wire.told);
  return calls.begun;
}

const std::vector<std::string>& Words() {
  static const auto* const words = new std::vector<std::string>{Frame(http2::kSettings, 0, 0, ""),
                                                                Frame(http2::kSettings, 0, 0, std::string("\0\4\0\0\0\0", 6)),
                                                                Frame(http2::kSettings, 0, 0, std::string("\0\4\x7f\xff\xff\xff", 6)),
                                                                Frame(http2::kSettings, 0, 0, std::string("\0\1\0\0\0\0", 6)),
                                                                Frame(http2::kSettings, http2::kAck, 0, ""),
                                                                Frame(http2::kPing, 0, 0, "12345678"),
                                                                Frame(http2::kGoAway, 0, 0, Number(1) + Number(0)),
                                                                Frame(http2::kWindowUpdate, 0, 0, Number(100'000)),
                                                                Frame(http2::kWindowUpdate, 0, 1, Number(0x7fffffff)),
                                                                Frame(http2::kWindowUpdate, 0, 3, Number(0)),
                                                                Frame(http2::kResetStream, 0, 1, Number(8)),
                                                                Frame(http2::kResetStream, 0, 3, Number(0)),
                                                                Frame(http2::kData, 0, 1, Framed("x")),
                                                                Frame(http2::kData, http2::kEndStream, 3, ""),
                                                                Frame(http2::kData, 8, 3, std::string("\3abc\0\0\0", 7)),
                                                                Frame(http2::kContinuation, http2::kEndHeaders, 1, ""),
                                                                Frame(2, 0, 5, std::string("\0\0\0\1\x10", 5)),
                                                                http2::HeadWriter().Write(9, http2::CallHead("/echo"), false),
                                                                http2::HeadWriter().Write(11, http2::CallHead("/late"), true),
                                                                "\1\4",
                                                                Number(1),
                                                                Number(16'384),
                                                                "grpc-timeout",
                                                                "-bin"};
  return *words;
}

TEST(GrpcFuzz, SessionsTakeWhateverComes) {
  EXPECT_EQ(Converse(http2::kPreface + Recorded(), 1000, false), 4);
  fuzz::Mutator pieces(7);
  fuzz::Run({Recorded()}, fuzz::Mutator(1, Words(), 20'000), [&](const std::string& said) {
    // Without it nothing else is looked at.
    const std::string whole = pieces.Below(50) == 0 ? said : http2::kPreface + said;
    Converse(whole, 1 + pieces.Below(whole.size() + 1), pieces.Below(4) == 0);
  });
}

// What a client says that knows HTTP/2, drawn byte by byte from `choices`.
class Script {
 public:
  explicit Script(const std::string& choices) : choices_(choices) {}

  std::string Write() {
    std::string said = http2::kPreface + Frame(http2::kSettings, 0, 0, "") + Frame(http2::kSettings, http2::kAck, 0, "") + Open();
    while (at_ < choices_.size()) said += Next();
    return said;
  }

 private:
  static constexpr uint32_t kWindows[] = {1, 5, 1000, 100'000};

  size_t Below(size_t bound) { return at_ < choices_.size() ? static_cast<uint8_t>(choices_[at_++]) % bound : 0; }
  bool Rarely() { return Below(200) == 1; }
  // Mostly one that is open at this end, until it is said that it `ends`.
  uint32_t Stream(bool ends = false) {
    if (open_.empty() || Rarely()) return last_;
    const size_t at = Below(open_.size());
    const uint32_t stream = open_[at];
    if (ends) open_.erase(open_.begin() + static_cast<ptrdiff_t>(at));
    return stream;
  }
  uint32_t Window() { return Rarely() ? 0 : kWindows[Below(std::size(kWindows))]; }
  std::string Bytes() {
    static constexpr size_t kSizes[] = {0, 1, 4, 5, 6, 100, 999, 1000, 1001, 16'000};
    const std::string bytes(kSizes[Below(std::size(kSizes))], 'x');
    return Below(4) == 0 ? bytes : Framed(bytes).substr(0, 16'384);
  }
  std::string Open() {
    static const char* const kMethods[] = {"/echo", "/read", "/late", "/end", "/reset", "/held"};
    static const Headers kMore[] = {{},
                                    {},
                                    {},
                                    {{"grpc-timeout", "1S"}, {"x-bin", "YQ,YQ"}},
                                    {{"x-bin", "!"}},
                                    {{"grpc-encoding", "gzip"}},
                                    {{"x", std::string(2000, 'x')}},
                                    {{"content-length", "3"}}};
    Headers head = http2::CallHead(kMethods[Below(std::size(kMethods))], kMore[Below(std::size(kMore))]);
    if (Below(16) == 0) head[0].second = "GET";
    if (Below(16) == 0) head[4].second = "text/plain";
    last_ = last_ == 0 ? 1 : last_ + 2;
    const bool ends = Below(3) == 0;
    if (!ends) open_.push_back(last_);
    return heads_.Write(last_, head, ends);
  }
  std::string Data() {
    const bool ends = Below(4) == 0;
    const uint32_t stream = Stream(ends);
    return Frame(http2::kData, ends ? http2::kEndStream : http2::kNone, stream, Bytes());
  }
  std::string Next() {
    if (open_.empty()) return Open();
    switch (Below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return Open();
      case 4:
        return Frame(http2::kResetStream, 0, Stream(true), Number(static_cast<uint32_t>(Below(14))));
      case 5:
        return Frame(http2::kWindowUpdate, 0, Stream(), Number(Window()));
      case 6:
        return Frame(http2::kWindowUpdate, 0, 0, Number(Window()));
      case 7:
        return Frame(http2::kPing, 0, 0, "12345678");
      case 8:
        return Frame(http2::kSettings, 0, 0, std::string("\0\4", 2) + Number(Window()));
      case 9:
        return heads_.Write(Stream(true), {{"x", "trailer"}}, true);
      case 10:
        return Rarely() ? Words()[Below(Words().size())] : Frame(2, 0, Stream(), std::string("\0\0\0\0\x10", 5));
      default:
        return Data();
    }
  }

  const std::string& choices_;
  size_t at_ = 0;
  uint32_t last_ = 0;
  std::vector<uint32_t> open_;
  http2::HeadWriter heads_;
};

TEST(GrpcFuzz, SessionsTakeGoodFramesInAnyOrder) {
  std::vector<std::string> corpus;
  fuzz::Mutator random(2);
  for (int i = 0; i < 50; ++i) {
    std::string& choices = corpus.emplace_back();
    for (int byte = 0; byte < 20 + i * 4; ++byte) choices += static_cast<char>(random.Below(256));
  }
  fuzz::Run(corpus, fuzz::Mutator(3, {}, 400), [&](const std::string& choices) {
    const std::string said = Script(choices).Write();
    Converse(said, 1 + random.Below(random.Below(2) == 0 ? 100 : said.size() + 1), random.Below(4) == 0);
  });
}

}  // namespace
}  // namespace peiling::gateway
