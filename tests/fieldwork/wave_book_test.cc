#include "services/fieldwork/waves/wave_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "services/common/names/partitions.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/waves/live_book.h"
#include "services/fieldwork/waves/wave_followers.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr char kWave[] = "surveys/s/waves/2026";
constexpr int kPartitions = 2;

intake::v1::Wave MakeWave(const std::string& title = "Eerste") {
  intake::v1::Wave wave;
  wave.set_name(kWave);
  wave.set_title(title);
  wave.set_frame_date("2026-01-01");
  wave.set_partitions(kPartitions);
  return wave;
}

intake::v1::Response MakeResponse(const std::string& id, intake::v1::ResponseState state, const std::vector<std::string>& codes = {}) {
  intake::v1::Response response;
  response.set_name(absl::StrCat(kWave, "/responses/", id));
  response.set_state(state);
  for (const auto& code : codes) response.add_municipalities(code);
  response.mutable_started_at()->set_seconds(1'000);
  response.mutable_updated_at()->set_seconds(2'000);
  if (state == intake::v1::RESPONSE_STATE_SUBMITTED) response.mutable_submitted_at()->set_seconds(2'000);
  response.mutable_completeness()->set_asked(10);
  response.mutable_completeness()->set_answered(4);
  return response;
}

dedup::v1::RecordEvent MakeRecord(const std::string& code, bool complete) {
  dedup::v1::RecordEvent event;
  auto& record = *event.add_records();
  record.set_municipality_code(code);
  record.set_complete(complete);
  return event;
}

// Feeds that a test fills. Begun anew, they are shorter than they were.
class FakeSources final : public intake::v1::IntakeService::Service,
                          public dedup::v1::DedupService::Service,
                          public registry::v1::RegistryService::Service {
 public:
  void Publish(const intake::v1::Wave& wave) {
    Change([&] { waves_.push_back(wave); });
  }
  void Publish(const intake::v1::Response& response) {
    const std::string id = response.name().substr(response.name().rfind('/') + 1);
    Change([&] { responses_[names::PartitionOf(id, kPartitions)].push_back(response); });
  }
  void Publish(const dedup::v1::RecordEvent& event) {
    Change([&] { records_.push_back(event); });
  }
  void ForgetFeeds() {
    Change([&] {
      responses_.clear();
      records_.clear();
    });
  }
  // Ends all watches and, while down, refuses new ones.
  void SetDown(bool down) {
    Change([&] { down_ = down; });
  }
  void SetRegistryDown(bool down) { registry_down_ = down; }

  grpc::Status WatchWaves(grpc::ServerContext* context, const intake::v1::WatchWavesRequest* request,
                          grpc::ServerWriter<intake::v1::WatchWavesResponse>* writer) override {
    return Watch<intake::v1::WatchWavesResponse>(
        context, request->after_sequence(), writer, [this]() -> auto& { return waves_; },
        [](const auto& wave, uint64_t sequence, auto& message) {
          message.mutable_wave()->set_sequence(sequence);
          *message.mutable_wave()->mutable_wave() = wave;
        });
  }
  grpc::Status WatchSubmissions(grpc::ServerContext* context, const intake::v1::WatchSubmissionsRequest* request,
                                grpc::ServerWriter<intake::v1::WatchSubmissionsResponse>* writer) override {
    return Watch<intake::v1::WatchSubmissionsResponse>(
        context, request->after_sequence(), writer, [ this, request ]() -> auto& { return responses_[request->partition()]; },
        [](const auto& response, uint64_t sequence, auto& message) {
          message.mutable_submission()->set_sequence(sequence);
          *message.mutable_submission()->mutable_response() = response;
        });
  }
  grpc::Status WatchRecords(grpc::ServerContext* context, const dedup::v1::WatchRecordsRequest* request,
                            grpc::ServerWriter<dedup::v1::WatchRecordsResponse>* writer) override {
    return Watch<dedup::v1::WatchRecordsResponse>(
        context, request->after_sequence(), writer, [this]() -> auto& { return records_; },
        [](const auto& event, uint64_t sequence, auto& message) {
          *message.mutable_change() = event;
          message.mutable_change()->set_sequence(sequence);
        });
  }
  // Two pages, in no order.
  grpc::Status ListMunicipalities(grpc::ServerContext*, const registry::v1::ListMunicipalitiesRequest* request,
                                  registry::v1::ListMunicipalitiesResponse* response) override {
    if (registry_down_) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "down");
    if (request->as_of() != "2026-01-01") return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "another day");
    const bool first = request->page_token().empty();
    for (const char* const code : first ? std::vector{"GM0363", "GM0014"} : std::vector{"GM0344"}) {
      response->add_municipalities()->set_code(code);
    }
    if (first) response->set_next_page_token("2");
    return grpc::Status::OK;
  }

 private:
  void Change(const std::function<void()>& change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  template <typename Message, typename Items, typename Fill>
  grpc::Status Watch(grpc::ServerContext* context, uint64_t after, grpc::ServerWriter<Message>* writer, Items items, Fill fill) {
    std::unique_lock lock(mutex_);
    bool told = false;
    while (!context->IsCancelled() && !down_) {
      if (after > items().size()) {
        return status::ToGrpc(status::Error(absl::StatusCode::kOutOfRange, "SEQUENCE_IN_FUTURE", "not so far yet"));
      }
      while (after < items().size()) {
        Message message;
        fill(items()[after], after + 1, message);
        writer->Write(message);
        ++after;
      }
      if (!told) {
        Message message;
        message.mutable_caught_up()->set_sequence(after);
        writer->Write(message);
        told = true;
      }
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "down");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool down_ = false;
  std::atomic<bool> registry_down_ = false;
  std::vector<intake::v1::Wave> waves_;
  std::map<int, std::vector<intake::v1::Response>> responses_;
  std::vector<dedup::v1::RecordEvent> records_;
};

class WaveBookTest : public testing::Test {
 protected:
  WaveBookTest() {
    server_ = grpc::ServerBuilder()
                  .RegisterService(static_cast<intake::v1::IntakeService::Service*>(&sources_))
                  .RegisterService(static_cast<dedup::v1::DedupService::Service*>(&sources_))
                  .RegisterService(static_cast<registry::v1::RegistryService::Service*>(&sources_))
                  .BuildAndStart();
    const auto channel = server_->InProcessChannel({});
    followers_ =
        std::make_unique<WaveFollowers>(Sources{intake::v1::IntakeService::NewStub(channel), dedup::v1::DedupService::NewStub(channel),
                                                registry::v1::RegistryService::NewStub(channel)},
                                        book_);
  }
  ~WaveBookTest() override {
    followers_->Stop();
    sources_.SetDown(true);
    server_->Shutdown();
  }

  // Whether it becomes so.
  bool Becomes(const std::function<bool()>& condition) const {
    const absl::Time until = absl::Now() + absl::Seconds(20);
    uint64_t seen = 0;
    while (!condition() && absl::Now() < until) seen = book_.AwaitChange(seen, absl::Milliseconds(200));
    return condition();
  }
  bool CatchesUp() const {
    return Becomes([this] { return book_.Behind().empty(); });
  }
  intake::v1::ResponseState StateOf(const std::string& id) const {
    const auto stand = book_.Response(kWave, id);
    return stand.has_value() ? stand->state : intake::v1::RESPONSE_STATE_UNSPECIFIED;
  }
  std::vector<std::string> Responses() const {
    std::vector<std::string> ids;
    book_.ForEachResponse(kWave, [&](const std::string& id, const ResponseStand&) { ids.push_back(id); });
    return ids;
  }

  FakeSources sources_;
  std::unique_ptr<grpc::Server> server_;
  LiveBook book_;
  std::unique_ptr<WaveFollowers> followers_;
};

TEST_F(WaveBookTest, TellsOfAWaveOnceAllItsFeedsAreReadAndItsFrameIsKnown) {
  sources_.SetRegistryDown(true);
  sources_.Publish(MakeWave());
  EXPECT_EQ(status::Reason(book_.Get(kWave).status()), "WAVE_LOADING");
  EXPECT_EQ(status::Reason(book_.Details(kWave).status()), "WAVE_LOADING");
  EXPECT_NE(book_.Unready(), "");
  followers_->Start();
  // Submissions alone are not enough.
  sources_.Publish(MakeResponse("GM0363", intake::v1::RESPONSE_STATE_STARTED));
  ASSERT_TRUE(Becomes([&] { return StateOf("GM0363") == intake::v1::RESPONSE_STATE_STARTED; }));
  EXPECT_EQ(status::Reason(book_.Get(kWave).status()), "WAVE_LOADING");
  EXPECT_THAT(book_.Waves(), IsEmpty());
  EXPECT_NE(book_.Behind(), "");
  // For links to work nobody has to wait.
  EXPECT_EQ(book_.Unready(), "");
  const auto early = book_.Details(kWave);
  ASSERT_TRUE(early.ok()) << early.status();
  EXPECT_EQ((*early)->wave.title(), "Eerste");
  EXPECT_EQ((*early)->frame, nullptr);

  sources_.SetRegistryDown(false);
  ASSERT_TRUE(CatchesUp());
  EXPECT_THAT(book_.Waves(), ElementsAre(kWave));
  const auto details = book_.Get(kWave);
  ASSERT_TRUE(details.ok()) << details.status();
  EXPECT_EQ((*details)->wave.title(), "Eerste");
  ASSERT_EQ((*details)->frame->municipalities.size(), 3U);
  EXPECT_EQ((*details)->frame->municipalities[0].code(), "GM0014");
  ASSERT_NE((*details)->frame->Find("GM0344"), nullptr);
  EXPECT_EQ((*details)->frame->Find("GM0344")->code(), "GM0344");
  EXPECT_EQ((*details)->frame->Find("GM0345"), nullptr);
  EXPECT_EQ((*details)->frame->Find("GM9999"), nullptr);
  EXPECT_EQ(status::Reason(book_.Get("surveys/s/waves/2030").status()), "WAVE_NOT_FOUND");
  EXPECT_EQ(status::Reason(book_.Details("surveys/s/waves/2030").status()), "WAVE_NOT_FOUND");
  EXPECT_EQ(book_.Version("surveys/s/waves/2030"), 0U);
}

TEST_F(WaveBookTest, IsReadyWithoutAnyWaves) {
  EXPECT_NE(book_.Unready(), "");
  followers_->Start();
  EXPECT_TRUE(CatchesUp());
  EXPECT_EQ(book_.Unready(), "");
}

TEST_F(WaveBookTest, KnowsResponsesOfAllPartitionsAsTheyLastWere) {
  sources_.Publish(MakeWave());
  followers_->Start();
  for (int i = 0; i < 20; ++i) sources_.Publish(MakeResponse(absl::StrCat("GM", i), intake::v1::RESPONSE_STATE_STARTED));
  sources_.Publish(MakeResponse("GM3", intake::v1::RESPONSE_STATE_SUBMITTED, {"GM0363", "GM0014"}));
  ASSERT_TRUE(Becomes([&] { return StateOf("GM3") == intake::v1::RESPONSE_STATE_SUBMITTED && Responses().size() == 20; }));

  const auto stand = book_.Response(kWave, "GM3");
  EXPECT_THAT(stand->municipalities, ElementsAre("GM0363", "GM0014"));
  EXPECT_EQ(stand->started_at, absl::FromUnixSeconds(1'000));
  EXPECT_EQ(stand->submitted_at, absl::FromUnixSeconds(2'000));
  EXPECT_EQ(stand->completeness.answered(), 4);
  EXPECT_EQ(book_.Response(kWave, "GM4")->submitted_at, absl::InfinitePast());
  EXPECT_FALSE(book_.Response(kWave, "GM20").has_value());
  EXPECT_FALSE(book_.Response("surveys/s/waves/2030", "GM3").has_value());
}

TEST_F(WaveBookTest, KnowsWhichMunicipalitiesHaveASubmittedRecord) {
  sources_.Publish(MakeWave());
  sources_.Publish(MakeRecord("GM0363", true));
  sources_.Publish(MakeRecord("GM0344", false));
  sources_.Publish(MakeRecord("GM0014", true));
  dedup::v1::RecordEvent removed;
  removed.add_removed_municipality_codes("GM0014");
  sources_.Publish(removed);
  followers_->Start();
  ASSERT_TRUE(CatchesUp());
  EXPECT_TRUE(book_.HasSubmittedRecord(kWave, "GM0363"));
  EXPECT_FALSE(book_.HasSubmittedRecord(kWave, "GM0344"));
  EXPECT_FALSE(book_.HasSubmittedRecord(kWave, "GM0014"));
  EXPECT_FALSE(book_.HasSubmittedRecord("surveys/s/waves/2030", "GM0363"));
}

TEST_F(WaveBookTest, TakesMunicipalitiesNobodyKnewBeforehandFromDedup) {
  sources_.Publish(MakeWave());
  sources_.Publish(MakeResponse("101", intake::v1::RESPONSE_STATE_SUBMITTED));
  sources_.Publish(MakeResponse("GM0363", intake::v1::RESPONSE_STATE_SUBMITTED, {"GM0363"}));
  dedup::v1::RecordEvent event;
  for (const char* const id : {"101", "GM0363"}) {
    auto& decision = *event.add_decisions();
    decision.set_response(absl::StrCat(kWave, "/responses/", id));
    decision.add_municipality_codes("GM0014");
  }
  sources_.Publish(event);
  followers_->Start();
  ASSERT_TRUE(CatchesUp());
  EXPECT_THAT(book_.Response(kWave, "101")->municipalities, ElementsAre("GM0014"));
  EXPECT_THAT(book_.Response(kWave, "GM0363")->municipalities, ElementsAre("GM0363"));
}

TEST_F(WaveBookTest, TellsOfNewTimesWithoutReadingFeedsAnew) {
  sources_.Publish(MakeWave("Oud"));
  sources_.Publish(MakeResponse("GM0363", intake::v1::RESPONSE_STATE_STARTED));
  sources_.Publish(MakeWave("Eerste"));
  followers_->Start();
  ASSERT_TRUE(CatchesUp());
  const uint64_t version = book_.Version(kWave);
  sources_.SetRegistryDown(true);  // Nobody needs it again.
  intake::v1::Wave extended = MakeWave("Verlengd");
  extended.mutable_closes_at()->set_seconds(9'000);
  sources_.Publish(extended);
  ASSERT_TRUE(Becomes([&] { return book_.Get(kWave).ok() && (*book_.Get(kWave))->wave.title() == "Verlengd"; }));
  EXPECT_EQ((*book_.Get(kWave))->frame->municipalities.size(), 3U);
  EXPECT_EQ(StateOf("GM0363"), intake::v1::RESPONSE_STATE_STARTED);
  EXPECT_GT(book_.Version(kWave), version);
}

TEST_F(WaveBookTest, ReadsAllAnewWhenAWaveHasAnotherFrame) {
  intake::v1::Wave wave = MakeWave();
  wave.set_frame_date("2025-01-01");  // Which this registry does not know.
  sources_.Publish(wave);
  sources_.Publish(MakeResponse("GM0363", intake::v1::RESPONSE_STATE_STARTED));
  followers_->Start();
  ASSERT_TRUE(Becomes([&] { return StateOf("GM0363") != intake::v1::RESPONSE_STATE_UNSPECIFIED; }));
  EXPECT_FALSE(book_.Get(kWave).ok());
  sources_.Publish(MakeWave());
  ASSERT_TRUE(CatchesUp());
  EXPECT_EQ(StateOf("GM0363"), intake::v1::RESPONSE_STATE_STARTED);
}

TEST_F(WaveBookTest, GoesOnWhereItWasAfterABreak) {
  sources_.Publish(MakeWave());
  sources_.Publish(MakeResponse("GM0363", intake::v1::RESPONSE_STATE_STARTED));
  followers_->Start();
  ASSERT_TRUE(CatchesUp());
  sources_.SetDown(true);
  sources_.Publish(MakeResponse("GM0344", intake::v1::RESPONSE_STATE_STARTED));
  sources_.Publish(MakeResponse("GM0363", intake::v1::RESPONSE_STATE_SUBMITTED));
  // What is known stays known.
  EXPECT_TRUE(book_.Get(kWave).ok());
  sources_.SetDown(false);
  ASSERT_TRUE(Becomes([&] { return StateOf("GM0363") == intake::v1::RESPONSE_STATE_SUBMITTED; }));
  ASSERT_TRUE(Becomes([&] { return StateOf("GM0344") == intake::v1::RESPONSE_STATE_STARTED; }));
}

TEST_F(WaveBookTest, ForgetsWhatAFeedNoLongerHasWhenItStartsOver) {
  sources_.Publish(MakeWave());
  for (const char* const id : {"GM0363", "GM0344", "GM0014"}) sources_.Publish(MakeResponse(id, intake::v1::RESPONSE_STATE_SUBMITTED));
  sources_.Publish(MakeRecord("GM0363", true));
  sources_.Publish(MakeRecord("GM0014", true));
  followers_->Start();
  ASSERT_TRUE(CatchesUp());
  sources_.SetDown(true);
  sources_.ForgetFeeds();
  sources_.Publish(MakeResponse("GM0344", intake::v1::RESPONSE_STATE_STARTED));
  sources_.Publish(MakeRecord("GM0014", true));
  sources_.SetDown(false);
  ASSERT_TRUE(Becomes([&] { return Responses() == std::vector<std::string>{"GM0344"} && !book_.HasSubmittedRecord(kWave, "GM0363"); }));
  ASSERT_TRUE(CatchesUp());
  EXPECT_EQ(StateOf("GM0344"), intake::v1::RESPONSE_STATE_STARTED);
  EXPECT_TRUE(book_.HasSubmittedRecord(kWave, "GM0014"));
}

TEST_F(WaveBookTest, WakesWhoWaitsForAChange) {
  followers_->Start();
  ASSERT_TRUE(CatchesUp());
  const uint64_t now = book_.AwaitChange(0, absl::ZeroDuration());
  EXPECT_EQ(book_.AwaitChange(now, absl::Milliseconds(1)), now);
  std::thread publishing([&] { sources_.Publish(MakeWave()); });
  EXPECT_GT(book_.AwaitChange(now, absl::Seconds(20)), now);
  publishing.join();
  ASSERT_TRUE(CatchesUp());
  const uint64_t later = book_.AwaitChange(now, absl::ZeroDuration());
  std::thread closing([&] { book_.Close(); });
  EXPECT_EQ(book_.AwaitChange(later, absl::Seconds(20)), later);
  closing.join();
}

}  // namespace
}  // namespace peiling::fieldwork
