// Replicas of dedup whole over one Redis: they find each other, share out a wave's partitions, and take over from each other.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "services/common/server/server.h"
#include "services/common/status/errors.h"
#include "services/dedup/dedup_module.h"
#include "tests/common/eventually.h"
#include "tests/contract/redis_server.h"
#include "tests/dedup/fake_upstream.h"

namespace peiling::dedup {
namespace {

class DedupRedisTest : public testing::Test {
 protected:
  void SetUp() override {
    upstream_ = grpc::ServerBuilder().RegisterService(&intake_).RegisterService(&registry_).BuildAndStart();
    intake::v1::Wave wave = TestSource().wave;
    wave.set_partitions(8);
    intake_.SetWave(wave);
  }
  void TearDown() override {
    replicas_.clear();
    intake_.SetDown(true);
    upstream_->Shutdown();
  }

  void Start(const std::string& name) {
    const auto channel = upstream_->InProcessChannel({});
    auto module = MakeModule({.store = absl::StrCat("redis://", redis_.endpoint()), .replica = name}, channel, channel);
    ASSERT_TRUE(module.ok()) << module.status();
    server::Options options;
    options.listen = "";
    options.drain_seconds = 1;
    auto server = server::Server::Start(options, *std::move(module));
    ASSERT_TRUE(server.ok()) << server.status();
    replicas_[name] = *std::move(server);
  }

  void Submit(int from, int to) {
    for (int id = from; id <= to; ++id) intake_.Submit({.id = std::to_string(id), .municipality = absl::StrCat("GM000", id % 9 + 1)});
  }

  // The report of a replica once it counts everything intake has.
  absl::StatusOr<v1::CleaningReport> Report(const std::string& replica) {
    v1::GetCleaningReportRequest request;
    request.set_parent(kWave);
    *request.mutable_wait_for() = intake_.Position();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::GetCleaningReportResponse response;
    const grpc::Status status =
        v1::DedupService::NewStub(replicas_[replica]->InProcessChannel())->GetCleaningReport(&context, request, &response);
    if (!status.ok()) return status::FromGrpc(status);
    return response.report();
  }

  bool Ready(const std::string& name) { return replicas_[name]->module().ready(); }

  storage::RedisServer redis_;
  FakeIntake intake_;
  FakeRegistry registry_;
  std::unique_ptr<grpc::Server> upstream_;
  std::map<std::string, std::unique_ptr<server::Server>> replicas_;
};

TEST_F(DedupRedisTest, ReplicasShareOutAndTakeOver) {
  Submit(1, 100);
  Start("a");
  Start("b");
  EXPECT_TRUE(Eventually([&] { return Ready("a") && Ready("b"); }));
  for (const char* name : {"a", "b"}) {
    const auto report = Report(name);
    ASSERT_TRUE(report.ok()) << name << report.status();
    EXPECT_EQ(report->started(), 100) << name;
    EXPECT_EQ(report->records(), 9) << name;
  }
  replicas_.erase("a");
  Submit(101, 200);
  ASSERT_TRUE(Report("b").ok()) << "b has all of it";
  Start("c");
  Submit(201, 300);
  const auto report = Report("c");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->started(), 300);
}

TEST_F(DedupRedisTest, GoesOnWhenTheStoreIsBack) {
  Submit(1, 50);
  Start("a");
  ASSERT_TRUE(Report("a").ok());
  EXPECT_TRUE(Eventually([&] { return Ready("a"); }));
  redis_.Kill();
  Submit(51, 100);
  EXPECT_TRUE(Eventually([&] { return !Ready("a"); }));
  EXPECT_NE(replicas_["a"]->module().not_ready_reason().find("store"), std::string::npos);
  redis_.Start();
  EXPECT_TRUE(Eventually([&] { return Ready("a"); }));
  const auto report = Report("a");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->started(), 100);
}

}  // namespace
}  // namespace peiling::dedup
