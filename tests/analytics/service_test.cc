// The whole of analytics over gRPC, fed by stand-ins of intake, dedup and registry.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "peiling/analytics/v1/analytics.grpc.pb.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/analytics/analytics_module.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

namespace dv = dedup::v1;
using samples::RecordMaker;
using std::chrono::milliseconds;
using testing::ElementsAre;

constexpr char kWave[] = "surveys/s/waves/2022";
constexpr char kEarlierWave[] = "surveys/s/waves/2019";

// A feed anybody may watch, for any number of partitions.
template <typename Event, typename Response>
class Feed {
 public:
  // `event` gets the next sequence.
  void Append(const std::string& partition, Event event) {
    const std::lock_guard<std::mutex> lock(mutex_);
    event.set_sequence(events_[partition].size() + 1);
    events_[partition].push_back(std::move(event));
  }
  void StartOver() {
    const std::lock_guard<std::mutex> lock(mutex_);
    events_.clear();
    ++breaks_;
  }
  // Ends all watches.
  void Break() { ++breaks_; }
  void RefuseWatches(bool refuse) { refuse_ = refuse; }
  int watches() const { return watches_; }
  // Events sent to anybody.
  int sent() const { return sent_; }

  grpc::Status Watch(const std::string& partition, uint64_t after, grpc::ServerContext* context, grpc::ServerWriter<Response>* writer,
                     const std::function<void(Response&, const Event&)>& wrap) {
    ++watches_;
    if (refuse_) return {grpc::StatusCode::UNAVAILABLE, "not now"};
    const int breaks = breaks_;
    bool caught_up = false;
    while (!context->IsCancelled() && breaks == breaks_) {
      std::vector<Event> events;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto& all = events_[partition];
        if (after > all.size()) return status::ToGrpc(status::Error(absl::StatusCode::kOutOfRange, "SEQUENCE_IN_FUTURE", "too far"));
        events.assign(all.begin() + static_cast<ptrdiff_t>(after), all.end());
      }
      for (const auto& event : events) {
        Response response;
        wrap(response, event);
        if (!writer->Write(response)) return grpc::Status::CANCELLED;
        ++after;
        ++sent_;
      }
      if (!caught_up) {
        Response response;
        response.mutable_caught_up()->set_sequence(after);
        if (!writer->Write(response)) return grpc::Status::CANCELLED;
        caught_up = true;
      }
      std::this_thread::sleep_for(milliseconds(5));
    }
    return {grpc::StatusCode::UNAVAILABLE, "broken off"};
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<Event>> events_;
  std::atomic<int> breaks_ = 0;
  std::atomic<bool> refuse_ = false;
  std::atomic<int> watches_ = 0;
  std::atomic<int> sent_ = 0;
};

class FakeIntake final : public intake::v1::IntakeService::Service {
 public:
  Feed<intake::v1::WaveEvent, intake::v1::WatchWavesResponse> feed;
  std::map<std::string, survey::v1::PublishedReport> reports;

  grpc::Status WatchWaves(grpc::ServerContext* context, const intake::v1::WatchWavesRequest* request,
                          grpc::ServerWriter<intake::v1::WatchWavesResponse>* writer) override {
    return feed.Watch("", request->after_sequence(), context, writer,
                      [](auto& response, const auto& event) { *response.mutable_wave() = event; });
  }
  grpc::Status GetQuestionnaire(grpc::ServerContext*, const intake::v1::GetQuestionnaireRequest* request,
                                intake::v1::GetQuestionnaireResponse* response) override {
    *response->mutable_questionnaire() = samples::Questions(request->name());
    if (request->name() == "changed") response->mutable_questionnaire()->mutable_sections()->RemoveLast();
    return grpc::Status::OK;
  }
  grpc::Status GetPublishedReport(grpc::ServerContext*, const intake::v1::GetPublishedReportRequest* request,
                                  intake::v1::GetPublishedReportResponse* response) override {
    const auto found = reports.find(request->parent());
    if (found == reports.end()) return status::ToGrpc(status::Error(absl::StatusCode::kNotFound, "PUBLISHED_REPORT_NOT_FOUND", "none"));
    *response->mutable_report() = found->second;
    return grpc::Status::OK;
  }
};

class FakeDedup final : public dv::DedupService::Service {
 public:
  Feed<dv::RecordEvent, dv::WatchRecordsResponse> feed;

  grpc::Status WatchRecords(grpc::ServerContext* context, const dv::WatchRecordsRequest* request,
                            grpc::ServerWriter<dv::WatchRecordsResponse>* writer) override {
    return feed.Watch(request->parent(), request->after_sequence(), context, writer,
                      [](auto& response, const auto& event) { *response.mutable_change() = event; });
  }
};

class FakeRegistry final : public registry::v1::RegistryService::Service {
 public:
  // Three to a page, so that pages are followed.
  grpc::Status ListMunicipalities(grpc::ServerContext*, const registry::v1::ListMunicipalitiesRequest* request,
                                  registry::v1::ListMunicipalitiesResponse* response) override {
    const auto all = samples::Municipalities();
    const size_t begin = request->page_token().empty() ? 0 : std::stoul(request->page_token());
    for (size_t i = begin; i < std::min(begin + 3, all.size()); ++i) *response->add_municipalities() = all[i];
    if (begin + 3 < all.size()) response->set_next_page_token(std::to_string(begin + 3));
    return grpc::Status::OK;
  }
  grpc::Status TraceLineage(grpc::ServerContext*, const registry::v1::TraceLineageRequest*,
                            registry::v1::TraceLineageResponse* response) override {
    for (const auto& municipality : samples::Municipalities()) {
      auto& lineage = *response->add_lineages();
      lineage.set_code(municipality.code());
      lineage.add_codes(municipality.code());
    }
    return grpc::Status::OK;
  }
};

class AnalyticsServiceTest : public testing::Test {
 protected:
  AnalyticsServiceTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&intake_);
    builder.RegisterService(&dedup_);
    builder.RegisterService(&registry_);
    sources_ = builder.BuildAndStart();
  }

  ~AnalyticsServiceTest() override {
    StopAnalytics();
    sources_->Shutdown(std::chrono::system_clock::now());
  }

  void StartAnalytics(Options options = {}) {
    const auto channel = sources_->InProcessChannel({});
    auto module = MakeModule(options, channel, channel, channel);
    ASSERT_TRUE(module.ok()) << module.status();
    module_ = *std::move(module);
    grpc::ServerBuilder builder;
    module_->Register(builder);
    server_ = builder.BuildAndStart();
    ASSERT_TRUE(module_->Start().ok());
    stub_ = v1::AnalyticsService::NewStub(server_->InProcessChannel({}));
  }

  void StopAnalytics() {
    if (server_ == nullptr) return;
    module_->Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
    module_.reset();
  }

  void AddWave(const std::string& name, const std::string& questionnaire = "2022", const std::string& notice = "") {
    intake::v1::WaveEvent event;
    auto& wave = *event.mutable_wave();
    wave.set_name(name);
    wave.set_questionnaire(questionnaire);
    wave.set_questionnaire_fingerprint(questionnaire);
    wave.set_frame_date(name == kWave ? "2022-03-24" : "2019-01-01");
    wave.set_opened(name == kWave ? "2022-09-05" : "2019-06-03");
    wave.set_synthetic_notice(notice);
    intake_.feed.Append("", event);
  }

  // Everything one step of dedup changed.
  void AddRecords(const std::string& wave, const std::vector<dv::Record>& records, const std::vector<dv::Decision>& decisions = {}) {
    dv::RecordEvent event;
    event.set_submission_sequence(++submissions_);
    for (const auto& record : records) *event.add_records() = record;
    for (const auto& decision : decisions) *event.add_decisions() = decision;
    dedup_.feed.Append(wave, event);
  }

  bool BecomesReady() {
    for (int i = 0; i < 500 && !module_->ready(); ++i) std::this_thread::sleep_for(milliseconds(10));
    return module_->ready();
  }

  v1::TabulateRequest TeamsCountedTo(uint64_t submissions) {
    v1::TabulateRequest request;
    request.set_parent(kWave);
    request.add_questions("teams");
    request.mutable_wait_for()->set_submissions(submissions);
    return request;
  }

  absl::StatusOr<v1::TabulateResponse> Tabulate(const v1::TabulateRequest& request, milliseconds deadline = milliseconds(5000)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    v1::TabulateResponse response;
    const auto called = stub_->Tabulate(&context, request, &response);
    if (!called.ok()) return status::FromGrpc(called);
    return response;
  }

  // "k/n" of those with teams, once so many submissions are counted.
  std::string Teams(uint64_t submissions) {
    const auto response = Tabulate(TeamsCountedTo(submissions));
    if (!response.ok()) return std::string(response.status().ToString());
    const auto& figure = response->tables(0).lines(0).figures(0);
    return std::to_string(figure.k()) + "/" + std::to_string(figure.n());
  }

  FakeIntake intake_;
  FakeDedup dedup_;
  FakeRegistry registry_;
  std::unique_ptr<grpc::Server> sources_;
  std::unique_ptr<server::Module> module_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::AnalyticsService::Stub> stub_;
  uint64_t submissions_ = 0;
};

TEST_F(AnalyticsServiceTest, CountsWhatComesInAndLetsItsWritersReadIt) {
  AddWave(kWave, "2022", "Verzonnen.");
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"}), RecordMaker(2).Choose("teams", {"nee"})});
  StartAnalytics();
  EXPECT_EQ(Teams(1), "1/2");
  AddRecords(kWave, {RecordMaker(3).Choose("teams", {"ja"})});
  EXPECT_EQ(Teams(2), "2/3");
  const auto response = Tabulate(TeamsCountedTo(2));
  EXPECT_EQ(response->position().submissions(), 2u);
  EXPECT_EQ(response->position().records(), 2u);
  EXPECT_THAT(response->notices(), ElementsAre("Verzonnen."));
  EXPECT_TRUE(module_->ready());
}

TEST_F(AnalyticsServiceTest, IsNotReadyAndSaysWhyUntilTheRecordsAreThere) {
  AddWave(kWave);
  dedup_.feed.RefuseWatches(true);
  StartAnalytics();
  for (int i = 0; i < 500 && dedup_.feed.watches() == 0; ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_FALSE(module_->ready());
  EXPECT_EQ(module_->not_ready_reason(), "the index of surveys/s/waves/2022 is being built");
  auto request = TeamsCountedTo(0);
  EXPECT_EQ(status::Reason(Tabulate(request).status()), "INDEX_BUILDING");
  dedup_.feed.RefuseWatches(false);
  EXPECT_TRUE(BecomesReady());
  EXPECT_TRUE(Tabulate(request).ok());
}

TEST_F(AnalyticsServiceTest, GoesOnAfterABreakAndCountsNothingTwice) {
  AddWave(kWave);
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  StartAnalytics();
  EXPECT_EQ(Teams(1), "1/1");
  for (int i = 2; i <= 4; ++i) {
    dedup_.feed.Break();
    intake_.feed.Break();
    AddRecords(kWave, {RecordMaker(i).Choose("teams", {"ja"})});
    EXPECT_EQ(Teams(i), std::to_string(i) + "/" + std::to_string(i));
  }
}

TEST_F(AnalyticsServiceTest, RebuildsTheSameAfterARestart) {
  AddWave(kWave);
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"nee"}), RecordMaker(2).Choose("teams", {"ja"})});
  StartAnalytics();
  const auto before = Tabulate(TeamsCountedTo(2));
  StopAnalytics();
  StartAnalytics();
  const auto after = Tabulate(TeamsCountedTo(2));
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(before->SerializeAsString(), after->SerializeAsString());
}

// What is saved as snapshots, in a file of its own.
class AnalyticsRestartTest : public AnalyticsServiceTest {
 protected:
  AnalyticsRestartTest() {
    std::string pattern = testing::TempDir() + "/analytics.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    options_.store = "sqlite:" + folder_ + "/analytics.db";
    AddWave(kWave);
    for (int i = 1; i <= 20; ++i) AddRecords(kWave, {RecordMaker(1 + i % 10).Choose("teams", {i % 2 == 0 ? "ja" : "nee"})});
  }
  ~AnalyticsRestartTest() override {
    StopAnalytics();
    std::filesystem::remove_all(folder_);
  }

  // Events of the record feed that were sent from one start to its being caught up.
  int SentForAStart() {
    const int before = dedup_.feed.sent();
    StartAnalytics(options_);
    EXPECT_TRUE(BecomesReady());
    return dedup_.feed.sent() - before;
  }

  std::string folder_;
  Options options_;
};

TEST_F(AnalyticsRestartTest, ReadsOnlyTheRestAndAnswersTheSame) {
  EXPECT_EQ(SentForAStart(), 20);
  const auto before = Tabulate(TeamsCountedTo(20));
  StopAnalytics();
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"nee"})});
  // The last one of before, and two new ones.
  EXPECT_EQ(SentForAStart(), 3);
  const auto after = Tabulate(TeamsCountedTo(22));
  StopAnalytics();
  options_.store.clear();
  EXPECT_EQ(SentForAStart(), 22);
  const auto replayed = Tabulate(TeamsCountedTo(22));
  ASSERT_TRUE(before.ok() && after.ok() && replayed.ok());
  EXPECT_EQ(after->SerializeAsString(), replayed->SerializeAsString());
  EXPECT_NE(after->SerializeAsString(), before->SerializeAsString());
}

TEST_F(AnalyticsRestartTest, CountsAnewWhenTheFeedIsAnother) {
  SentForAStart();
  StopAnalytics();
  dedup_.feed.StartOver();
  submissions_ = 0;
  for (int i = 0; i < 25; ++i) AddRecords(kWave, {RecordMaker(1).Choose("teams", {"nee"})});
  StartAnalytics(options_);
  EXPECT_EQ(Teams(25), "0/1");
  StopAnalytics();
  // And the new one is what is gone on from.
  EXPECT_EQ(SentForAStart(), 1);
  EXPECT_EQ(Teams(25), "0/1");
}

TEST_F(AnalyticsRestartTest, CountsAnewWhenTheFeedIsShorter) {
  SentForAStart();
  StopAnalytics();
  dedup_.feed.StartOver();
  submissions_ = 20;
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  StartAnalytics(options_);
  EXPECT_EQ(Teams(21), "1/1");
}

TEST_F(AnalyticsRestartTest, CountsAnewWhenTheQuestionsAreOthers) {
  SentForAStart();
  StopAnalytics();
  AddWave(kWave, "changed");
  EXPECT_EQ(SentForAStart(), 20);
}

TEST_F(AnalyticsRestartTest, IsReadyWithoutTheStore) {
  // Another program has it, so it cannot be opened.
  const auto taken = storage::OpenStore(options_.store, "analytics");
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(SentForAStart(), 20);
  EXPECT_EQ(Teams(20), "5/10");
}

TEST_F(AnalyticsRestartTest, AnAddressThatIsNoStoreIsRefused) {
  options_.store = "nowhere";
  const auto channel = sources_->InProcessChannel({});
  EXPECT_EQ(status::Reason(MakeModule(options_, channel, channel, channel).status()), "STORAGE_ADDRESS");
}

TEST_F(AnalyticsServiceTest, CountsAnewWhenTheFeedStartsOver) {
  AddWave(kWave);
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  AddRecords(kWave, {RecordMaker(2).Choose("teams", {"ja"})});
  StartAnalytics();
  EXPECT_EQ(Teams(2), "2/2");
  dedup_.feed.StartOver();
  submissions_ = 2;
  AddRecords(kWave, {RecordMaker(3).Choose("teams", {"nee"})});
  EXPECT_EQ(Teams(3), "0/1");
}

// A store that was lost is filled again while analytics is away: the feed is as long as before, and says something else.
TEST_F(AnalyticsServiceTest, CountsAnewWhenAFeedAsLongHasOtherEvents) {
  AddWave(kWave);
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  AddRecords(kWave, {RecordMaker(2).Choose("teams", {"ja"})});
  StartAnalytics();
  EXPECT_EQ(Teams(2), "2/2");
  dedup_.feed.RefuseWatches(true);
  dedup_.feed.StartOver();
  submissions_ = 0;
  AddRecords(kWave, {RecordMaker(3).Choose("teams", {"nee"})});
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  dedup_.feed.RefuseWatches(false);
  AddRecords(kWave, {RecordMaker(4).Choose("teams", {"nee"})});
  EXPECT_EQ(Teams(3), "1/3");
}

TEST_F(AnalyticsServiceTest, TakesAnotherTitleNoticeOrReportWithoutCountingAnew) {
  AddWave(kWave);
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  StartAnalytics();
  EXPECT_EQ(Teams(1), "1/1");
  AddWave(kWave, "2022", "Toch verzonnen.");
  for (int i = 0; i < 500 && Tabulate(TeamsCountedTo(1))->notices().empty(); ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_THAT(Tabulate(TeamsCountedTo(1))->notices(), ElementsAre("Toch verzonnen."));
  EXPECT_EQ(Teams(1), "1/1");
}

TEST_F(AnalyticsServiceTest, CountsAnewWhenTheQuestionsChange) {
  AddWave(kWave);
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"ja"})});
  StartAnalytics();
  EXPECT_EQ(Teams(1), "1/1");
  AddWave(kWave, "changed");
  auto request = TeamsCountedTo(1);
  request.set_questions(0, "care");
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
    gone = status::Reason(Tabulate(request).status()) == "QUESTION_NOT_FOUND";
  }
  EXPECT_TRUE(gone);
  EXPECT_EQ(Teams(1), "1/1");
}

TEST_F(AnalyticsServiceTest, WaitsUntilTheDeadlineForWhatDoesNotCome) {
  AddWave(kWave);
  StartAnalytics();
  ASSERT_TRUE(BecomesReady());
  EXPECT_TRUE(absl::IsDeadlineExceeded(Tabulate(TeamsCountedTo(7), milliseconds(100)).status()));
}

TEST_F(AnalyticsServiceTest, NamesEveryWrongFieldOfARequest) {
  StartAnalytics();
  v1::TabulateRequest request;
  request.set_parent("waves/2022");
  request.add_questions("teams");
  request.add_questions("care");
  request.add_questions("teams");
  request.mutable_by()->set_took_part_in("../x");
  request.add_filters();
  request.add_filters()->mutable_stratum()->set_size_class(survey::v1::SIZE_CLASS_UNSPECIFIED);
  request.add_filters()->mutable_option();
  std::vector<std::string> fields;
  for (const auto& [field, description] : status::FieldViolations(Tabulate(request).status())) fields.push_back(field);
  EXPECT_THAT(fields, ElementsAre("parent", "questions[2]", "by.took_part_in", "filters[0]", "filters[1].stratum.size_class",
                                  "filters[2].option.question", "filters[2].option.option"));

  v1::GetProgressRequest progress;
  progress.set_parent(kWave);
  progress.set_as_of("2022-02-30");
  for (int i = 0; i < 64; ++i) progress.mutable_wait_for()->add_further_submissions(1);
  v1::GetProgressResponse response;
  grpc::ClientContext context;
  fields.clear();
  const auto called = status::FromGrpc(stub_->GetProgress(&context, progress, &response));
  for (const auto& [field, description] : status::FieldViolations(called)) fields.push_back(field);
  EXPECT_THAT(fields, ElementsAre("as_of", "wait_for.further_submissions"));
}

TEST_F(AnalyticsServiceTest, ShowsWhoTookPartEarlierAndTrendsOverWaves) {
  AddWave(kWave, "2022", "Verzonnen.");
  AddWave(kEarlierWave, "2019");
  intake_.reports[kWave] = samples::Parse<survey::v1::PublishedReport>(R"(
    source: "Rapport"
    figures { id: "panel" measure { count { also_in_wave: "2019" } base { fieldwork: FIELDWORK_COUNT_USABLE } } percent: 50 base: 2 }
    trends { id: "teams" option { question: "teams" option: "ja" } points { wave: "2014" percent: 69 } points { wave: "2019" percent: 100 } }
    trends { id: "tasks" option { question: "tasks" option: "a" } points { wave: "2014" percent: 10 } }
    trends { id: "gone" option { question: "gone" option: "a" } points { wave: "2014" percent: 10 } })");
  AddRecords(kEarlierWave, {RecordMaker(2).Choose("teams", {"ja"}), RecordMaker(5).Choose("teams", {"ja"})});
  AddRecords(kWave, {RecordMaker(1).Choose("teams", {"nee"}), RecordMaker(2).Choose("teams", {"ja"})});
  StartAnalytics();
  ASSERT_TRUE(BecomesReady());

  auto request = TeamsCountedTo(2);
  request.mutable_by()->set_took_part_in("2019");
  const auto tabulated = Tabulate(request);
  ASSERT_TRUE(tabulated.ok()) << tabulated.status();
  EXPECT_EQ(tabulated->tables(0).lines(0).figures(1).n(), 1);
  EXPECT_EQ(tabulated->tables(0).lines(0).figures(1).k(), 1);

  v1::CompareWithPublishedRequest compare;
  compare.set_parent(kWave);
  v1::CompareWithPublishedResponse comparison;
  grpc::ClientContext compare_context;
  ASSERT_TRUE(stub_->CompareWithPublished(&compare_context, compare, &comparison).ok());
  EXPECT_EQ(comparison.matching(), 1);
  EXPECT_THAT(comparison.notices(), ElementsAre("Verzonnen."));
  compare.set_parent(kEarlierWave);
  grpc::ClientContext without_report;
  EXPECT_EQ(status::Reason(status::FromGrpc(stub_->CompareWithPublished(&without_report, compare, &comparison))),
            "PUBLISHED_REPORT_NOT_FOUND");

  v1::GetTrendRequest trend;
  trend.set_parent("surveys/s");
  trend.mutable_option()->set_question("teams");
  trend.mutable_option()->set_option("ja");
  v1::GetTrendResponse drawn;
  grpc::ClientContext trend_context;
  ASSERT_TRUE(stub_->GetTrend(&trend_context, trend, &drawn).ok());
  ASSERT_EQ(drawn.trend().points_size(), 3);
  EXPECT_EQ(drawn.trend().points(0).percent(), 69);
  EXPECT_EQ(drawn.trend().points(1).k(), 2);
  EXPECT_EQ(drawn.trend().points(2).percent(), 50);

  std::vector<std::string> ids;
  v1::ListTrendsRequest list;
  list.set_parent("surveys/s");
  list.set_page_size(1);
  do {
    v1::ListTrendsResponse page;
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->ListTrends(&context, list, &page).ok());
    for (const auto& listed : page.trends()) ids.push_back(listed.id() + ":" + std::to_string(listed.points_size()));
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  EXPECT_THAT(ids, ElementsAre("teams:3", "tasks:3", "gone:0"));
}

TEST_F(AnalyticsServiceTest, SendsProgressWhenItChangesAndNotMoreThanOnceASecond) {
  AddWave(kWave);
  StartAnalytics();
  ASSERT_TRUE(BecomesReady());
  v1::WatchProgressRequest request;
  request.set_parent(kWave);
  grpc::ClientContext context;
  auto reader = stub_->WatchProgress(&context, request);
  v1::WatchProgressResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.progress().lines(0).usable(), 0);
  const auto begun = std::chrono::steady_clock::now();
  std::thread writer([&] {
    for (int i = 1; i <= 10; ++i) {
      AddRecords(kWave, {RecordMaker(i)},
                 {samples::Decide(std::to_string(i), dv::DISPOSITION_KEPT, {i}, "2022-09-05T08:00:00Z", "2022-09-05T09:00:00Z", {i})});
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  int messages = 0;
  do {
    ASSERT_TRUE(reader->Read(&response));
    ++messages;
  } while (response.progress().lines(0).usable() < 10);
  writer.join();
  EXPECT_EQ(response.progress().lines(0).complete(), 10);
  EXPECT_EQ(response.progress().lines(0).response_percent(), 100);
  // Ten changes came within a second.
  EXPECT_LE(messages, 2);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(900));
  context.TryCancel();
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(AnalyticsServiceTest, LetsNoMoreCallersWaitThanMayAndEndsThemAtStop) {
  AddWave(kWave);
  StartAnalytics({.max_waiting_calls = 1});
  ASSERT_TRUE(BecomesReady());
  v1::WatchProgressRequest request;
  request.set_parent(kWave);
  grpc::ClientContext first_context, second_context;
  auto first = stub_->WatchProgress(&first_context, request);
  v1::WatchProgressResponse response;
  ASSERT_TRUE(first->Read(&response));
  auto second = stub_->WatchProgress(&second_context, request);
  EXPECT_FALSE(second->Read(&response));
  EXPECT_EQ(status::Reason(status::FromGrpc(second->Finish())), "TOO_MANY_WAITING_CALLS");
  module_->Stop();
  EXPECT_FALSE(first->Read(&response));
  EXPECT_EQ(status::Reason(status::FromGrpc(first->Finish())), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace peiling::analytics
