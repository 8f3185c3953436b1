#include "services/common/feed/watches.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "tests/common/eventually.h"

namespace peiling::feed {
namespace {

using intake::v1::IntakeService;
using intake::v1::WatchWavesRequest;
using intake::v1::WatchWavesResponse;
using Stream = WatchStream<WatchWavesResponse>;

constexpr int kMost = 3;

// A service whose watches do what a test says.
class Service final : public IntakeService::WithCallbackMethod_WatchWaves<IntakeService::Service> {
 public:
  grpc::ServerWriteReactor<WatchWavesResponse>* WatchWaves(grpc::CallbackServerContext*, const WatchWavesRequest*) override {
    return watches.Start<WatchWavesResponse>(serve);
  }

  std::function<absl::Status(Stream&)> serve;
  Watches watches{kMost};
};

// A call of the client.
struct Call {
  explicit Call(IntakeService::Stub& stub) : reader(stub.WatchWaves(&context, {})) {}
  ~Call() { context.TryCancel(); }
  // The sequence of the next message; 0 at the end.
  uint64_t Read() {
    WatchWavesResponse message;
    return reader->Read(&message) ? message.caught_up().sequence() : 0;
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<WatchWavesResponse>> reader;
};

class WatchesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = IntakeService::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }
  void TearDown() override { server_->Shutdown(std::chrono::system_clock::now()); }

  static WatchWavesResponse Message(uint64_t sequence, size_t bytes = 0) {
    WatchWavesResponse message;
    message.mutable_caught_up()->set_sequence(sequence);
    if (bytes > 0) message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(100, std::string(bytes, 'x'));
    return message;
  }

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<IntakeService::Stub> stub_;
};

TEST_F(WatchesTest, EverythingWrittenArrivesInOrderBeforeTheEnd) {
  service_.serve = [](Stream& stream) -> absl::Status {
    for (uint64_t i = 1; i <= 10'000; ++i) EXPECT_TRUE(stream.Write(Message(i)));
    return status::Error(absl::StatusCode::kDataLoss, "BROKEN", "broken");
  };
  Call call(*stub_);
  for (uint64_t i = 1; i <= 10'000; ++i) ASSERT_EQ(call.Read(), i);
  EXPECT_EQ(call.Read(), 0u);
  EXPECT_EQ(status::Reason(status::FromGrpc(call.reader->Finish())), "BROKEN");
}

TEST_F(WatchesTest, AnErrorAtOnceEndsTheCall) {
  service_.serve = [](Stream&) { return status::Error(absl::StatusCode::kNotFound, "NO_WAVE", "there is none"); };
  Call call(*stub_);
  EXPECT_EQ(call.Read(), 0u);
  EXPECT_EQ(status::Reason(status::FromGrpc(call.reader->Finish())), "NO_WAVE");
}

TEST_F(WatchesTest, OneTooManyIsRefusedAndOneGoneMakesRoom) {
  service_.serve = [](Stream& stream) {
    stream.Write(Message(1));
    EXPECT_TRUE(Eventually([&] { return stream.cancelled(); }));
    return absl::OkStatus();
  };
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < kMost; ++i) {
    calls.push_back(std::make_unique<Call>(*stub_));
    ASSERT_EQ(calls.back()->Read(), 1u);
  }
  Call surplus(*stub_);
  EXPECT_EQ(surplus.Read(), 0u);
  EXPECT_EQ(status::Reason(status::FromGrpc(surplus.reader->Finish())), "TOO_MANY_WATCHERS");
  calls.pop_back();
  EXPECT_TRUE(Eventually([this] { return Call(*stub_).Read() == 1; }));
}

TEST_F(WatchesTest, AClientThatDoesNotReadHoldsOnlyItsOwnWatch) {
  std::atomic<int> written = 0;
  std::atomic<bool> large = true;
  std::promise<bool> ended;
  service_.serve = [&](Stream& stream) {
    if (!large.exchange(false)) {
      stream.Write(Message(1));
      return absl::OkStatus();
    }
    while (stream.Write(Message(1, 100'000))) ++written;
    ended.set_value(stream.cancelled());
    return absl::OkStatus();
  };
  auto stuck = std::make_unique<Call>(*stub_);
  ASSERT_EQ(stuck->Read(), 1u);
  // What is under way: the queue of 1 MiB, the window of the stream and the sockets.
  int before = -1;
  ASSERT_TRUE(Eventually([&] {
    const int now = written;
    const bool halted = now > 0 && now == before;
    before = now;
    if (!halted) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return halted;
  }));
  EXPECT_LT(written, 1000);
  EXPECT_EQ(Call(*stub_).Read(), 1u) << "others go on";
  stuck.reset();
  EXPECT_TRUE(ended.get_future().get()) << "it is told that the client is gone";
}

TEST_F(WatchesTest, ADeadlineEndsAWatchThatWaits) {
  std::promise<void> ended;
  service_.serve = [&](Stream& stream) {
    EXPECT_TRUE(Eventually([&] { return stream.cancelled(); }));
    ended.set_value();
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  auto reader = stub_->WatchWaves(&context, {});
  WatchWavesResponse message;
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ended.get_future().get();
}

}  // namespace
}  // namespace peiling::feed
