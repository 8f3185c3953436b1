// Serving a stored feed, and following one over gRPC through breaks.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/common/feed/follower.h"
#include "services/common/feed/serve.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "tests/common/eventually.h"
#include "tests/contract/place.h"

namespace peiling::feed {
namespace {

using intake::v1::IntakeService;
using intake::v1::WatchSubmissionsRequest;
using intake::v1::WatchSubmissionsResponse;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Le;

constexpr char kWave[] = "surveys/s/waves/w";

void Append(storage::Store& store, int count) {
  for (int i = 0; i < count; ++i) {
    auto last = store.LastSequence(kWave);
    ASSERT_TRUE(last.ok()) << last.status();
    auto result = store.Commit({kWave, {}, {}, {"e" + std::to_string(*last + 1)}});
    ASSERT_TRUE(result.ok()) << result.status();
  }
}

// ---- Serve

class ServeTest : public ::testing::Test {
 protected:
  // Serves into `lines_` ("1 e1", "caught up 1") until there are `most`.
  absl::Status ServeUntil(uint64_t after, size_t most) {
    const auto add = [this, most](const std::string& line) {
      std::lock_guard guard(mutex_);
      lines_.push_back(line);
      return lines_.size() < most;
    };
    return Serve(*store_, kWave, after,
                 {.event = [&](const storage::FeedEvent& event) { return add(std::to_string(event.sequence) + " " + event.value); },
                  .caught_up = [&](uint64_t sequence) { return add("caught up " + std::to_string(sequence)); },
                  .cancelled = [this] { return cancelled_.load(); },
                  .reaches = [this](uint64_t sequence) { reached_.push_back(sequence); }});
  }

  size_t lines() {
    std::lock_guard guard(mutex_);
    return lines_.size();
  }

  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "test");
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<uint64_t> reached_;
  std::atomic<bool> cancelled_ = false;
};

TEST_F(ServeTest, ReplaysSaysThatItHasCaughtUpAndFollows) {
  Append(*store_, 3);
  auto served = std::async(std::launch::async, [this] { return ServeUntil(1, 5); });
  ASSERT_TRUE(Eventually([this] { return lines() == 3; }));
  Append(*store_, 2);
  EXPECT_EQ(served.get().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(lines_, ElementsAre("2 e2", "3 e3", "caught up 3", "4 e4", "5 e5"));
}

TEST_F(ServeTest, AnEmptyFeedIsCaughtUpAtOnce) {
  EXPECT_EQ(ServeUntil(0, 1).code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(lines_, ElementsAre("caught up 0"));
}

TEST_F(ServeTest, WhoHasEverythingIsCaughtUpAtOnce) {
  Append(*store_, 2);
  EXPECT_EQ(ServeUntil(2, 1).code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(lines_, ElementsAre("caught up 2"));
}

TEST_F(ServeTest, ASequenceThatIsNotThereYetIsRefused) {
  Append(*store_, 2);
  const absl::Status status = ServeUntil(3, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(status::Reason(status), "SEQUENCE_IN_FUTURE");
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(ServeTest, HowFarTheFeedReachesIsToldBeforeItIsSentAndAsItGrows) {
  Append(*store_, 200);
  ServeUntil(0, 1).IgnoreError();
  ASSERT_FALSE(reached_.empty());
  EXPECT_EQ(reached_.front(), 200u);
  lines_.clear();
  auto served = std::async(std::launch::async, [this] { return ServeUntil(200, 2); });
  ASSERT_TRUE(Eventually([this] { return lines() == 1; }));
  Append(*store_, 1);
  served.get().IgnoreError();
  EXPECT_EQ(reached_.back(), 201u);
}

TEST_F(ServeTest, ALongFeedComesWholeAndInOrder) {
  Append(*store_, 500);
  ServeUntil(0, 501).IgnoreError();
  ASSERT_EQ(lines_.size(), 501u);
  for (int i = 1; i <= 500; ++i) EXPECT_EQ(lines_[i - 1], std::to_string(i) + " e" + std::to_string(i));
  EXPECT_EQ(lines_.back(), "caught up 500");
}

TEST_F(ServeTest, ACancelledCallEndsSoon) {
  auto served = std::async(std::launch::async, [this] { return ServeUntil(0, 100); });
  ASSERT_TRUE(Eventually([this] { return lines() == 1; }));
  cancelled_ = true;
  ASSERT_EQ(served.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(served.get().code(), absl::StatusCode::kCancelled);
}

TEST_F(ServeTest, AnInterruptedStoreEndsIt) {
  auto served = std::async(std::launch::async, [this] { return ServeUntil(0, 100); });
  ASSERT_TRUE(Eventually([this] { return lines() == 1; }));
  store_->Interrupt();
  const absl::Status status = served.get();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status::Reason(status), "SHUTTING_DOWN");
}

// ---- Retrier

TEST(RetrierTest, TriesAgainEverLaterUntilStopped) {
  std::vector<steady_clock::time_point> begins;
  std::atomic<int> sessions = 0;
  Retrier retrier("test", [&](grpc::ClientContext&, const std::function<void()>&) {
    begins.push_back(steady_clock::now());
    ++sessions;
    return absl::UnavailableError("no");
  });
  retrier.Start();
  ASSERT_TRUE(Eventually([&] { return sessions == 4; }));
  retrier.Stop();
  // 50 to 100 ms, 100 to 200, 200 to 400.
  EXPECT_GE(begins[1] - begins[0], milliseconds(50));
  EXPECT_GE(begins[2] - begins[1], milliseconds(100));
  EXPECT_GE(begins[3] - begins[2], milliseconds(200));
}

TEST(RetrierTest, AfterAHealthySessionItComesBackSoon) {
  std::atomic<int> sessions = 0;
  Retrier retrier("test", [&](grpc::ClientContext&, const std::function<void()>& healthy) {
    ++sessions;
    healthy();
    return absl::UnavailableError("no");
  });
  const auto begin = steady_clock::now();
  retrier.Start();
  ASSERT_TRUE(Eventually([&] { return sessions == 12; }));
  // With a growing pause it would take 20 seconds and more.
  EXPECT_LT(steady_clock::now() - begin, milliseconds(8000));
}

TEST(RetrierTest, StopDoesNotWaitForThePause) {
  std::atomic<int> sessions = 0;
  Retrier retrier("test", [&](grpc::ClientContext&, const std::function<void()>&) {
    ++sessions;
    return absl::UnavailableError("no");
  });
  retrier.Start();
  ASSERT_TRUE(Eventually([&] { return sessions == 5; }));  // The next pause is of 800 ms or more.
  const auto begin = steady_clock::now();
  retrier.Stop();
  retrier.Stop();
  EXPECT_LT(steady_clock::now() - begin, milliseconds(600));
}

TEST(RetrierTest, MayEndWithoutEverHavingStarted) {
  Retrier retrier("test", [](grpc::ClientContext&, const std::function<void()>&) { return absl::OkStatus(); });
  retrier.Stop();
}

// ---- Following over gRPC

// Serves a store's feed; the response's sequence is all there is.
class WatchedService final : public IntakeService::Service {
 public:
  explicit WatchedService(storage::Store& store) : store_(store) {}

  grpc::Status WatchSubmissions(grpc::ServerContext* context, const WatchSubmissionsRequest* request,
                                grpc::ServerWriter<WatchSubmissionsResponse>* writer) override {
    ++calls;
    const auto send = [&](const WatchSubmissionsResponse& response) {
      if (breaks_after > 0 && --breaks_after == 0) return false;
      const bool sent = writer->Write(response);
      if (sent) ++written;
      return sent;
    };
    return status::ToGrpc(Serve(store_, request->parent(), request->after_sequence(),
                                {.event =
                                     [&](const storage::FeedEvent& event) {
                                       WatchSubmissionsResponse response;
                                       response.mutable_submission()->set_sequence(event.sequence);
                                       response.mutable_submission()->mutable_response()->set_name(padding + event.value);
                                       return send(response);
                                     },
                                 .caught_up =
                                     [&](uint64_t sequence) {
                                       WatchSubmissionsResponse response;
                                       response.mutable_caught_up()->set_sequence(sequence);
                                       return send(response);
                                     },
                                 .cancelled = [context] { return context->IsCancelled(); }}));
  }

  std::atomic<int> calls = 0;
  std::atomic<int> written = 0;
  std::atomic<int> breaks_after = 0;  // The call ends instead of this message; 0: never.
  std::string padding;

 private:
  storage::Store& store_;
};

class FollowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = IntakeService::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }

  void TearDown() override {
    store_->Interrupt();
    server_->Shutdown(std::chrono::system_clock::now());
  }

  // A follower with a cursor, as services have.
  std::unique_ptr<Retrier> Follow(std::function<absl::Status(std::vector<WatchSubmissionsResponse>&)> apply) {
    auto open = [this](grpc::ClientContext* context) -> std::unique_ptr<grpc::ClientReaderInterface<WatchSubmissionsResponse>> {
      WatchSubmissionsRequest request;
      request.set_parent(kWave);
      request.set_after_sequence(cursor_);
      return stub_->WatchSubmissions(context, request);
    };
    auto retrier = std::make_unique<Retrier>("test", WatchSession<WatchSubmissionsResponse>(std::move(open), std::move(apply)));
    retrier->Start();
    return retrier;
  }

  // Moves the cursor over a batch, event by event.
  absl::Status Apply(std::vector<WatchSubmissionsResponse>& batch) {
    batches_.push_back(batch.size());
    for (const WatchSubmissionsResponse& response : batch) {
      if (response.has_caught_up()) {
        EXPECT_EQ(response.caught_up().sequence(), cursor_);
      } else {
        EXPECT_EQ(response.submission().sequence(), cursor_ + 1);
        cursor_ = response.submission().sequence();
      }
    }
    return absl::OkStatus();
  }

  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "test");
  WatchedService service_{*store_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<IntakeService::Stub> stub_;
  std::atomic<uint64_t> cursor_ = 0;
  std::vector<size_t> batches_;
};

TEST_F(FollowTest, AppliesWhatStoodThereAndWhatComes) {
  Append(*store_, 100);
  auto retrier = Follow([this](auto& batch) { return Apply(batch); });
  EXPECT_TRUE(Eventually([this] { return cursor_ == 100; }));
  Append(*store_, 100);
  EXPECT_TRUE(Eventually([this] { return cursor_ == 200; }));
  retrier->Stop();
  EXPECT_EQ(service_.calls, 1);
}

TEST_F(FollowTest, ResumesAfterABreakWithoutGapOrRepeat) {
  Append(*store_, 50);
  service_.breaks_after = 20;
  auto retrier = Follow([this](auto& batch) { return Apply(batch); });
  EXPECT_TRUE(Eventually([this] { return cursor_ == 50; }));
  retrier->Stop();
  EXPECT_EQ(service_.calls, 2);
}

TEST_F(FollowTest, WhatCannotBeAppliedIsAskedForAgain) {
  Append(*store_, 10);
  int failures = 3;
  auto retrier = Follow([&](auto& batch) { return failures-- > 0 ? absl::AbortedError("not now") : Apply(batch); });
  EXPECT_TRUE(Eventually([this] { return cursor_ == 10; }));
  retrier->Stop();
  EXPECT_EQ(service_.calls, 4);
}

TEST_F(FollowTest, WhatArrivesDuringALongApplyComesInOneBatch) {
  Append(*store_, 2000);
  auto retrier = Follow([&](auto& batch) {
    // Far longer than a batch takes to arrive: among the eight or more there is a full one, however busy the machine.
    std::this_thread::sleep_for(milliseconds(50));
    return Apply(batch);
  });
  EXPECT_TRUE(Eventually([this] { return cursor_ == 2000; }));
  retrier->Stop();
  EXPECT_THAT(batches_, Each(Le(kMaxBatch)));
  EXPECT_EQ(*std::max_element(batches_.begin(), batches_.end()), kMaxBatch);
}

TEST_F(FollowTest, AFollowerThatDoesNotReadHoldsOnlyItsOwnCall) {
  service_.padding = std::string(64 << 10, 'x');
  Append(*store_, 1000);
  std::atomic<bool> go = false;
  auto stuck = Follow([&](auto&) {
    while (!go) std::this_thread::sleep_for(milliseconds(1));
    return absl::OkStatus();
  });
  // Sending comes to a halt long before the end: the queue here, the stream's window and the sockets are full.
  int before = -1;
  ASSERT_TRUE(Eventually([&] {
    const int now = service_.written;
    const bool halted = now > 0 && now == before;
    before = now;
    if (!halted) std::this_thread::sleep_for(milliseconds(100));
    return halted;
  }));
  EXPECT_LT(service_.written, 1000);
  Append(*store_, 10);
  grpc::ClientContext context;
  WatchSubmissionsRequest request;
  request.set_parent(kWave);
  request.set_after_sequence(1000);
  auto reader = stub_->WatchSubmissions(&context, request);
  WatchSubmissionsResponse response;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.submission().sequence(), 1010u);
  context.TryCancel();
  reader->Finish();
  go = true;
  stuck->Stop();
}

TEST_F(FollowTest, StopEndsAWatchThatIsWaiting) {
  auto retrier = Follow([this](auto& batch) { return Apply(batch); });
  ASSERT_TRUE(Eventually([this] { return service_.written == 1; }));
  const auto begin = steady_clock::now();
  retrier->Stop();
  EXPECT_LT(steady_clock::now() - begin, milliseconds(5000));
}

}  // namespace
}  // namespace peiling::feed
