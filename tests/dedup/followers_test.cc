#include "services/dedup/followers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "services/dedup/documents.h"
#include "services/dedup/wave_view.h"
#include "tests/dedup/fake_upstream.h"

namespace peiling::dedup {
namespace {

using testing::HasSubstr;

// Replicas over one store, between a fake intake and a fake registry; who is a member, the test says.
class FollowersTest : public testing::Test {
 protected:
  struct Replica {
    Replica(storage::Store& store, const std::shared_ptr<grpc::Channel>& channel, const std::string& name)
        : waves(store, StoppedClock),
          upstream(intake::v1::IntakeService::NewStub(channel), registry::v1::RegistryService::NewStub(channel)),
          followers(upstream, waves, name) {}

    Waves waves;
    Upstream upstream;
    Followers followers;
  };

  void SetUp() override {
    store_ = *storage::OpenStore("sqlite::memory:", "test");
    server_ = grpc::ServerBuilder().RegisterService(&intake_).RegisterService(&registry_).BuildAndStart();
    wave_ = TestSource().wave;
    wave_.set_partitions(4);
    intake_.SetWave(wave_);
  }

  void TearDown() override {
    replicas_.clear();
    intake_.SetDown(true);
    server_->Shutdown();
  }

  Followers& Start(const std::string& name) {
    replicas_.push_back(std::make_unique<Replica>(*store_, server_->InProcessChannel({}), name));
    Followers& followers = replicas_.back()->followers;
    followers.Start();
    followers.SetWave(wave_);
    return followers;
  }

  void Submit(int from, int to) {
    for (int id = from; id <= to; ++id) intake_.Submit({.id = std::to_string(id), .municipality = absl::StrCat("GM000", id % 9 + 1)});
  }

  // Whether everything intake has is taken in, sooner or later.
  bool TakesAllIn() {
    const WaveView view(*store_, kWave);
    return view.WaitFor(intake_.Position(), std::chrono::system_clock::now() + std::chrono::seconds(20), [] { return absl::OkStatus(); })
        .ok();
  }
  v1::CleaningReport Report() { return WaveView(*store_, kWave).GetCleaningReport()->report(); }
  size_t SetAside() { return *store_->Count(kWave, documents::kSetAside); }

  static bool BecomesReady(const Followers& followers) {
    for (int i = 0; i < 500 && !followers.not_ready_reason().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return followers.not_ready_reason().empty();
  }

  std::unique_ptr<storage::Store> store_;
  FakeIntake intake_;
  FakeRegistry registry_;
  std::unique_ptr<grpc::Server> server_;
  intake::v1::Wave wave_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

// Of the wave's four partitions each of "a" and "b" has some (OwnerOf).
TEST_F(FollowersTest, PartitionsMoveToThoseWhoAreLeft) {
  Submit(1, 40);
  Followers& a = Start("a");
  Followers& b = Start("b");
  a.SetMembers({"a", "b"});
  EXPECT_TRUE(BecomesReady(a));
  EXPECT_LT(Report().started(), 40) << "some of it is for the other one";
  EXPECT_GT(Report().started(), 0);
  b.SetMembers({"a", "b"});
  EXPECT_TRUE(TakesAllIn());
  EXPECT_TRUE(BecomesReady(b));
  a.Stop();
  Submit(41, 80);
  b.SetMembers({"b"});
  EXPECT_TRUE(TakesAllIn());
  EXPECT_EQ(Report().started(), 80);
  // One comes back: it takes its share from the other one, which goes on with the rest.
  Followers& again = Start("a");
  again.SetMembers({"a", "b"});
  b.SetMembers({"a", "b"});
  Submit(81, 120);
  EXPECT_TRUE(TakesAllIn());
  EXPECT_EQ(Report().started(), 120);
  EXPECT_EQ(SumOfDispositions(Report()), 120);
}

TEST_F(FollowersTest, ReadyOnceWhatIsItsOwnHasCaughtUp) {
  registry_.SetDown(true);
  Followers& a = Start("a");
  EXPECT_THAT(a.not_ready_reason(), HasSubstr("other replicas"));
  a.SetMembers({"a"});
  EXPECT_THAT(a.not_ready_reason(), HasSubstr(kWave));
  a.SetMembers({"somebody else"});
  EXPECT_EQ(a.not_ready_reason(), "") << "who has nothing to do is ready";
  a.SetMembers({"a"});
  registry_.SetDown(false);
  EXPECT_TRUE(BecomesReady(a));
}

TEST_F(FollowersTest, EventThatCannotBeTakenInDoesNotHoldUpTheOthers) {
  Submit(1, 10);
  intake_.Submit({.id = "bad", .municipality = "fatal"});
  Submit(11, 40);
  Start("a").SetMembers({"a"});
  EXPECT_TRUE(TakesAllIn());
  EXPECT_EQ(Report().started(), 40);
  EXPECT_EQ(SetAside(), 1u);
  // It is tried again when following begins anew.
  registry_.Mend();
  replicas_.clear();
  Followers& b = Start("b");
  b.SetMembers({"b"});
  EXPECT_TRUE(BecomesReady(b));
  EXPECT_EQ(Report().started(), 41);
  EXPECT_EQ(SetAside(), 0u);
}

TEST_F(FollowersTest, EventIntakeCannotReadDoesNotHoldUpTheOthers) {
  Submit(1, 40);
  intake_.Spoil("7");
  Start("a").SetMembers({"a"});
  EXPECT_TRUE(TakesAllIn());
  EXPECT_EQ(Report().started(), 39);
  EXPECT_EQ(SetAside(), 1u);
  intake_.Spoil("");
  replicas_.clear();
  Followers& b = Start("b");
  b.SetMembers({"b"});
  EXPECT_TRUE(BecomesReady(b));
  EXPECT_EQ(Report().started(), 40);
  EXPECT_EQ(SetAside(), 0u);
}

TEST_F(FollowersTest, ErrorsThatPassSetNothingAside) {
  Followers& a = Start("a");
  a.SetMembers({"a"});
  EXPECT_TRUE(BecomesReady(a));
  registry_.SetDown(true);
  Submit(1, 10);
  // Longer than it takes to set one aside.
  std::this_thread::sleep_for(std::chrono::seconds(4));
  EXPECT_EQ(SetAside(), 0u);
  registry_.SetDown(false);
  EXPECT_TRUE(TakesAllIn());
  EXPECT_EQ(Report().started(), 10);
  EXPECT_EQ(SetAside(), 0u);
}

}  // namespace
}  // namespace peiling::dedup
