#include "services/analytics/live_waves.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"
#include "services/analytics/tabulation.h"
#include "services/common/feed/position.h"
#include "services/common/status/errors.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

namespace dv = dedup::v1;
using samples::RecordMaker;
using std::chrono::milliseconds;

constexpr char kWave[] = "surveys/s/waves/2022";

Caller Patient(milliseconds time = milliseconds(5000)) {
  return {std::chrono::system_clock::now() + time, [] { return false; }};
}

dv::RecordEvent Event(uint64_t sequence, const std::vector<dv::Record>& records, const std::vector<std::string>& removed = {}) {
  dv::RecordEvent event;
  event.set_sequence(sequence);
  event.set_submission_sequence(sequence * 10);
  for (const auto& record : records) *event.add_records() = record;
  for (const auto& code : removed) event.add_removed_municipality_codes(code);
  return event;
}

survey::v1::FeedPosition Position(uint64_t submissions, uint64_t records) {
  survey::v1::FeedPosition position;
  position.set_submissions(submissions);
  position.set_records(records);
  return position;
}

std::shared_ptr<LiveWave> NewWave() { return std::make_shared<LiveWave>(samples::Definition(), absl::UTCTimeZone()); }

TEST(LiveWave, AnEventTwiceChangesNothing) {
  const auto wave = NewWave();
  wave->Apply(Event(1, {RecordMaker(1).Choose("teams", {"ja"})}));
  wave->Apply(Event(2, {RecordMaker(2).Choose("teams", {"nee"})}, {samples::Code(1)}));
  // The feed breaks and is read again from an earlier place.
  wave->Apply(Event(1, {RecordMaker(1).Choose("teams", {"ja"})}));
  wave->Apply(Event(2, {RecordMaker(2).Choose("teams", {"nee"})}, {samples::Code(1)}));
  const auto view = wave->Read();
  EXPECT_EQ(view.index().records(), 1);
  EXPECT_FALSE(view.index().Has(samples::Code(1)));
  EXPECT_EQ(view.position().records(), 2u);
  EXPECT_EQ(view.position().submissions(), 20u);
}

TEST(LiveWave, CountsEveryPartitionByItselfAndNeverGoesBack) {
  const auto wave = NewWave();
  const auto take_in = [&](uint64_t sequence, int partition, uint64_t submissions) {
    dv::RecordEvent event;
    event.set_sequence(sequence);
    event.set_partition(partition);
    event.set_submission_sequence(submissions);
    wave->Apply(event);
    return feed::SubmissionsText(wave->Read().position());
  };
  EXPECT_EQ(take_in(1, 2, 7), "0,0,7");
  EXPECT_EQ(take_in(2, 0, 5), "5,0,7");
  // A ruling takes nothing in, and another replica may repeat what is taken in.
  EXPECT_EQ(take_in(3, 0, 0), "5,0,7");
  EXPECT_EQ(take_in(4, 2, 6), "5,0,7");
  EXPECT_EQ(take_in(5, -1, 9), "5,0,7");
  EXPECT_EQ(take_in(6, 64, 9), "5,0,7");
  EXPECT_EQ(wave->Read().position().records(), 6u);
}

TEST(LiveWave, IsReadWhileEventsComeIn) {
  const auto wave = NewWave();
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  std::atomic<int> torn = 0, reads = 0;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const auto view = wave->Read();
        // Every event leaves exactly one record, that of the municipality its sequence says.
        const int64_t records = view.index().records();
        const bool right = view.position().records() == 0
                               ? records == 0
                               : records == 1 && view.index().Has(samples::Code(1 + view.position().records() % 10));
        torn += right ? 0 : 1;
        ++reads;
      }
    });
  }
  for (uint64_t sequence = 1; sequence <= 2000; ++sequence) {
    wave->Apply(Event(sequence, {RecordMaker(1 + sequence % 10)}, {samples::Code(1 + (sequence - 1) % 10)}));
  }
  done = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_GT(reads, 0);
}

class LiveWavesTest : public testing::Test {
 protected:
  void PlaceCaughtUp() {
    wave_ = NewWave();
    wave_->SetCaughtUp();
    waves_.Announce(kWave);
    waves_.SetListed();
    waves_.Place(kWave, wave_);
  }
  std::string ReasonOfGet(const std::string& name) { return status::Reason(waves_.Get(name).status()); }

  LiveWaves waves_;
  std::shared_ptr<LiveWave> wave_;
};

TEST_F(LiveWavesTest, IsBuildingUntilListedPlacedAndCaughtUp) {
  EXPECT_EQ(ReasonOfGet(kWave), "INDEX_BUILDING");
  EXPECT_NE(waves_.Unready(), "");
  waves_.Announce(kWave);
  EXPECT_EQ(ReasonOfGet(kWave), "INDEX_BUILDING");
  waves_.SetListed();
  EXPECT_EQ(ReasonOfGet(kWave), "INDEX_BUILDING");
  EXPECT_EQ(ReasonOfGet("surveys/s/waves/1999"), "WAVE_NOT_FOUND");
  EXPECT_EQ(status::Reason(waves_.OfSurvey("surveys/s").status()), "INDEX_BUILDING");
  const auto wave = NewWave();
  waves_.Place(kWave, wave);
  EXPECT_EQ(ReasonOfGet(kWave), "INDEX_BUILDING");
  wave->SetCaughtUp();
  EXPECT_TRUE(waves_.Get(kWave).ok());
  EXPECT_EQ(waves_.Unready(), "");
  EXPECT_TRUE(waves_.OfSurvey("surveys/s").ok());
  EXPECT_EQ(status::Reason(waves_.OfSurvey("surveys/t").status()), "WAVE_NOT_FOUND");
}

TEST_F(LiveWavesTest, OfSurveyDoesNotMixSurveysWithALikeName) {
  PlaceCaughtUp();
  waves_.Announce("surveys/s2/waves/2022");
  EXPECT_EQ(waves_.OfSurvey("surveys/s")->size(), 1u);
}

TEST_F(LiveWavesTest, AwaitReturnsOnceBothFeedsAreCounted) {
  PlaceCaughtUp();
  std::thread feed([&] {
    for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
      std::this_thread::sleep_for(milliseconds(30));
      wave_->Apply(Event(sequence, {RecordMaker(1)}));
      waves_.Changed();
    }
  });
  const auto awaited = waves_.Await(kWave, Position(25, 2), Patient());
  ASSERT_TRUE(awaited.ok()) << awaited.status();
  EXPECT_EQ((*awaited)->Read().position().records(), 3u);
  feed.join();
}

TEST_F(LiveWavesTest, AwaitWaitsForEveryPartition) {
  PlaceCaughtUp();
  auto wanted = Position(10, 0);
  feed::SetSubmissions(wanted, 1, 3);
  wave_->Apply(Event(1, {RecordMaker(1)}));
  EXPECT_FALSE(waves_.IsCounted(kWave, wanted));
  const auto late = waves_.Await(kWave, wanted, Patient(milliseconds(20))).status();
  EXPECT_EQ(status::Metadata(late).at("submissions"), "10");
  auto event = Event(2, {RecordMaker(2)});
  event.set_partition(1);
  event.set_submission_sequence(3);
  wave_->Apply(event);
  EXPECT_TRUE(waves_.IsCounted(kWave, wanted));
  EXPECT_TRUE(waves_.Await(kWave, wanted, Patient()).ok());
}

TEST_F(LiveWavesTest, AwaitWaitsForAWaveThatIsNotThereYet) {
  waves_.SetListed();
  std::thread builder([&] {
    std::this_thread::sleep_for(milliseconds(30));
    PlaceCaughtUp();
    wave_->Apply(Event(1, {RecordMaker(1)}));
    waves_.Changed();
  });
  EXPECT_TRUE(waves_.Await(kWave, Position(10, 0), Patient()).ok());
  builder.join();
}

TEST_F(LiveWavesTest, AwaitEndsAtTheDeadlineWithHowFarItIs) {
  PlaceCaughtUp();
  wave_->Apply(Event(1, {RecordMaker(1)}));
  const auto awaited = waves_.Await(kWave, Position(0, 2), Patient(milliseconds(50))).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(awaited)) << awaited;
  EXPECT_EQ(status::Reason(awaited), "POSITION_NOT_REACHED");
  EXPECT_EQ(status::Metadata(awaited).at("records"), "1");
}

TEST_F(LiveWavesTest, AwaitEndsWhenTheCallerLeavesAndAtShutdown) {
  PlaceCaughtUp();
  std::atomic<bool> left = false;
  std::thread leaver([&] {
    std::this_thread::sleep_for(milliseconds(30));
    left = true;
  });
  auto caller = Patient();
  caller.cancelled = [&] { return left.load(); };
  EXPECT_TRUE(absl::IsCancelled(waves_.Await(kWave, Position(0, 1), caller).status()));
  leaver.join();
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(30));
    waves_.Shutdown();
  });
  EXPECT_EQ(status::Reason(waves_.Await(kWave, Position(0, 1), Patient()).status()), "SHUTTING_DOWN");
  stopper.join();
}

}  // namespace
}  // namespace peiling::analytics
