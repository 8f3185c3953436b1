#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "services/common/identity/identity.h"
#include "services/common/server/server.h"
#include "services/common/status/errors.h"
#include "services/dedup/dedup_module.h"
#include "tests/common/eventually.h"
#include "tests/dedup/fake_upstream.h"

namespace peiling::dedup {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

intake::v1::Wave TestWave() { return TestSource().wave; }

// Dedup whole, between a fake intake and a fake registry.
class DedupServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/dedup_service_" + std::to_string(::getpid());
    std::filesystem::create_directories(directory_);
    upstream_ = grpc::ServerBuilder().RegisterService(&intake_).RegisterService(&registry_).BuildAndStart();
    intake_.SetWave(TestWave());
  }

  void TearDown() override {
    StopDedup();
    intake_.SetDown(true);
    upstream_->Shutdown();
    std::filesystem::remove_all(directory_);
  }

  // Of a call that the gateway hands on.
  static std::unique_ptr<grpc::ClientContext> ContextOf(const std::string& caller) {
    auto context = Context();
    access::v1::Identity identity;
    identity.set_subject(caller);
    context->AddMetadata(identity::kIdentityKey, identity.SerializeAsString());
    return context;
  }

  void StartDedup(int max_waiting_calls = 8) {
    const auto channel = upstream_->InProcessChannel({});
    auto module = MakeModule({.store = "sqlite:" + directory_ + "/dedup.db", .max_waiting_calls = max_waiting_calls}, channel, channel);
    ASSERT_TRUE(module.ok()) << module.status();
    server::Options options;
    options.listen = "";
    options.drain_seconds = 1;
    auto server = server::Server::Start(options, *std::move(module));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::DedupService::NewStub(server_->InProcessChannel());
  }

  void StopDedup() {
    if (server_ != nullptr) server_->Shutdown();
    stub_.reset();
    server_.reset();
  }

  static std::unique_ptr<grpc::ClientContext> Context(int seconds = 10) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
    return context;
  }

  absl::StatusOr<v1::GetCleaningReportResponse> Report(uint64_t submissions, uint64_t records = 0, int seconds = 10,
                                                       const std::string& wave = kWave) {
    v1::GetCleaningReportRequest request;
    request.set_parent(wave);
    if (submissions + records > 0) {
      request.mutable_wait_for()->set_submissions(submissions);
      request.mutable_wait_for()->set_records(records);
    }
    v1::GetCleaningReportResponse response;
    const grpc::Status status = stub_->GetCleaningReport(Context(seconds).get(), request, &response);
    if (!status.ok()) return status::FromGrpc(status);
    return response;
  }

  v1::CreateRulingRequest RulingRequest(const v1::Ruling& ruling, const std::string& request_id) {
    v1::CreateRulingRequest request;
    request.set_parent(kWave);
    *request.mutable_ruling() = ruling;
    request.set_request_id(request_id);
    return request;
  }

  std::string directory_;
  FakeIntake intake_;
  FakeRegistry registry_;
  std::unique_ptr<grpc::Server> upstream_;
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<v1::DedupService::Stub> stub_;
};

TEST_F(DedupServiceTest, FollowsAndReportsWhatItIsAskedToWaitFor) {
  for (int i = 1; i <= 300; ++i) {
    intake_.Submit({.id = std::to_string(i), .municipality = i % 3 == 0 ? "?" : absl::StrCat("GM000", i % 9 + 1), .minute = i});
  }
  StartDedup();
  const auto report = Report(300);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->report().started(), 300);
  EXPECT_EQ(report->report().municipality_unknown(), 100);
  EXPECT_EQ(report->report().records(), 6);
  EXPECT_EQ(report->report().municipalities(), 9) << "both pages of the frame";
  EXPECT_EQ(SumOfDispositions(report->report()), 300);
  EXPECT_EQ(report->position().submissions(), 300u);
  EXPECT_TRUE(Eventually([&] { return server_->module().ready(); }));
}

TEST_F(DedupServiceTest, WaitsUntilTheDeadlineForWhatDoesNotCome) {
  StartDedup();
  ASSERT_TRUE(Eventually([&] { return Report(0).ok(); }));
  EXPECT_EQ(Report(1, 0, 1).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(status::Reason(Report(0, 0, 1, "surveys/s/waves/none").status()), "WAVE_NOT_FOUND");
}

TEST_F(DedupServiceTest, CursorSurvivesARestart) {
  StartDedup();
  intake_.Submit({.id = "1"});
  ASSERT_TRUE(Report(1).ok());
  StopDedup();
  intake_.Submit({.id = "2", .municipality = "GM0002"});
  StartDedup();
  const auto report = Report(2);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->report().records(), 2);
  EXPECT_EQ(report->position().records(), 2u) << "nothing was taken in twice";
}

TEST_F(DedupServiceTest, AnswersFromWhatItHasWhenOthersAreDown) {
  StartDedup();
  intake_.Submit({.id = "1"});
  ASSERT_TRUE(Report(1).ok());
  ASSERT_TRUE(Eventually([&] { return server_->module().ready(); }));
  intake_.SetDown(true);
  registry_.SetDown(true);
  EXPECT_TRUE(server_->module().ready()) << "it had caught up";
  v1::CreateRulingResponse ruled;
  ASSERT_TRUE(stub_->CreateRuling(Context().get(), RulingRequest(Exclude("1"), "r"), &ruled).ok());
  StopDedup();
  StartDedup();
  EXPECT_FALSE(server_->module().ready());
  EXPECT_TRUE(Eventually([&] { return server_->module().not_ready_reason().find("down") != std::string::npos; }));
  const auto report = Report(1, 2);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->report().excluded(), 1);
  intake_.SetDown(false);
  EXPECT_TRUE(Eventually([&] { return server_->module().not_ready_reason().find(kWave) != std::string::npos; }));
  registry_.SetDown(false);
  EXPECT_TRUE(Eventually([&] { return server_->module().ready(); }));
}

TEST_F(DedupServiceTest, TextTheRegistryRefusesIsUnknown) {
  intake_.Submit({.id = "1", .municipality = std::string(501, 'x')});
  intake_.Submit({.id = "2", .municipality = "GM0001"});
  StartDedup();
  const auto report = Report(2);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->report().municipality_unknown(), 1);
  EXPECT_EQ(report->report().kept(), 1);
}

TEST_F(DedupServiceTest, NewFrameDateIsFollowed) {
  StartDedup();
  intake_.Submit({.id = "1"});
  ASSERT_TRUE(Report(1).ok());
  intake::v1::Wave later = TestWave();
  later.set_frame_date("2023-01-01");
  intake_.SetWave(later);
  EXPECT_TRUE(Eventually([&] { return Report(0)->position().records() == 2; })) << "decided again";
  intake_.Submit({.id = "2", .municipality = "GM0002"});
  EXPECT_EQ(Report(2)->report().records(), 2);
}

TEST_F(DedupServiceTest, WatchReplaysThenFollows) {
  StartDedup();
  intake_.Submit({.id = "1"});
  ASSERT_TRUE(Report(1).ok());
  v1::WatchRecordsRequest request;
  request.set_parent(kWave);
  auto context = Context();
  auto reader = stub_->WatchRecords(context.get(), request);
  v1::WatchRecordsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.change().sequence(), 1u);
  EXPECT_EQ(message.change().records(0).municipality_code(), "GM0001");
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.caught_up().sequence(), 1u);
  intake_.Submit({.id = "2", .municipality = "GM0002"});
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.change().sequence(), 2u);
  EXPECT_EQ(message.change().submission_sequence(), 2u);
  context->TryCancel();
  reader->Finish();
  request.set_after_sequence(99);
  context = Context();
  reader = stub_->WatchRecords(context.get(), request);
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_EQ(status::Reason(status::FromGrpc(reader->Finish())), "SEQUENCE_IN_FUTURE");
}

TEST_F(DedupServiceTest, WatchesHoldNeitherThreadsNorPlacesOfOtherCalls) {
  StartDedup(1);
  intake_.Submit({.id = "1"});
  ASSERT_TRUE(Report(1).ok());
  v1::WatchRecordsRequest request;
  request.set_parent(kWave);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchRecordsResponse>>> watches;
  for (int i = 0; i <= server::Options().max_threads; ++i) {
    contexts.push_back(Context(60));
    watches.push_back(stub_->WatchRecords(contexts.back().get(), request));
    v1::WatchRecordsResponse message;
    ASSERT_TRUE(watches.back()->Read(&message));
  }
  EXPECT_TRUE(Report(1).ok());
  for (const auto& context : contexts) context->TryCancel();
  for (const auto& watch : watches) watch->Finish();
}

TEST_F(DedupServiceTest, WaitsAreBounded) {
  StartDedup(1);
  intake_.Submit({.id = "1"});
  ASSERT_TRUE(Report(1).ok());
  const auto wait = [this] { return status::Reason(Report(2).status()); };
  std::array waits{std::async(std::launch::async, wait), std::async(std::launch::async, wait)};
  const auto ended = [](const auto& waiting) { return waiting.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
  ASSERT_TRUE(Eventually([&] { return std::any_of(waits.begin(), waits.end(), ended); }));
  intake_.Submit({.id = "2", .municipality = "GM0002"});
  EXPECT_THAT((std::vector{waits[0].get(), waits[1].get()}), UnorderedElementsAre("", "TOO_MANY_WAITING_CALLS"));
  EXPECT_TRUE(Report(2).ok()) << "the place is free again";
}

TEST_F(DedupServiceTest, StopEndsWatchesAndWaits) {
  StartDedup();
  ASSERT_TRUE(Eventually([&] { return Report(0).ok(); }));
  v1::WatchRecordsRequest request;
  request.set_parent(kWave);
  auto context = Context(30);
  auto reader = stub_->WatchRecords(context.get(), request);
  v1::WatchRecordsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  absl::Status waited;
  std::thread waiter([&] { waited = Report(7, 0, 30).status(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server_->module().Stop();
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_EQ(status::Reason(status::FromGrpc(reader->Finish())), "SHUTTING_DOWN");
  waiter.join();
  EXPECT_EQ(status::Reason(waited), "SHUTTING_DOWN");
}

TEST_F(DedupServiceTest, ListsAndGets) {
  intake_.Submit({.id = "1", .minute = 1, .single = "ja"});
  intake_.Submit({.id = "2", .minute = 2, .single = "nee"});
  intake_.Submit({.id = "3", .municipality = "GM0002?GM0003"});
  intake_.Submit({.id = "4", .municipality = "GM0004"});
  StartDedup();
  ASSERT_TRUE(Report(4).ok());

  v1::ListCasesRequest cases;
  cases.set_parent(kWave);
  cases.set_page_size(2);
  v1::ListCasesResponse page;
  ASSERT_TRUE(stub_->ListCases(Context().get(), cases, &page).ok());
  ASSERT_EQ(page.cases_size(), 2);
  EXPECT_EQ(page.cases(0).name(), absl::StrCat(kWave, "/cases/GM0001"));
  EXPECT_EQ(page.cases(0).decisions(0).disposition(), v1::DISPOSITION_KEPT);
  EXPECT_EQ(page.cases(0).decisions(1).superseded_by(), ResponseName("2"));
  EXPECT_EQ(page.cases(1).name(), absl::StrCat(kWave, "/cases/GM0002-GM0003"));
  EXPECT_EQ(page.cases(1).decisions(0).resolution().text(), "GM0002?GM0003");
  cases.set_page_token(page.next_page_token());
  ASSERT_TRUE(stub_->ListCases(Context().get(), cases, &page).ok());
  ASSERT_EQ(page.cases_size(), 1);
  EXPECT_EQ(page.next_page_token(), "");

  const auto names = [&](const v1::ListCasesRequest& request) {
    v1::ListCasesResponse response;
    EXPECT_TRUE(stub_->ListCases(Context().get(), request, &response).ok());
    std::vector<std::string> found;
    for (const auto& survey_case : response.cases()) found.push_back(survey_case.municipality_codes(0));
    return found;
  };
  v1::ListCasesRequest filter;
  filter.set_parent(kWave);
  filter.set_state(v1::CASE_STATE_WAITING);
  EXPECT_THAT(names(filter), ElementsAre("GM0002"));
  filter.set_state(v1::CASE_STATE_UNSPECIFIED);
  filter.set_several_responses(true);
  EXPECT_THAT(names(filter), ElementsAre("GM0001"));
  filter.set_several_responses(false);
  filter.set_contradicting(true);
  EXPECT_THAT(names(filter), ElementsAre("GM0001"));

  v1::ListDecisionsRequest decisions;
  decisions.set_parent(kWave);
  v1::ListDecisionsResponse decided;
  ASSERT_TRUE(stub_->ListDecisions(Context().get(), decisions, &decided).ok());
  EXPECT_EQ(decided.decisions_size(), 4);
  decisions.set_disposition(v1::DISPOSITION_AMBIGUOUS);
  ASSERT_TRUE(stub_->ListDecisions(Context().get(), decisions, &decided).ok());
  ASSERT_EQ(decided.decisions_size(), 1);
  EXPECT_EQ(decided.decisions(0).response(), ResponseName("3"));

  v1::ListRecordsRequest records;
  records.set_parent(kWave);
  v1::ListRecordsResponse recorded;
  ASSERT_TRUE(stub_->ListRecords(Context().get(), records, &recorded).ok());
  ASSERT_EQ(recorded.records_size(), 2);
  v1::GetRecordRequest one;
  one.set_name(recorded.records(1).name());
  v1::GetRecordResponse record;
  ASSERT_TRUE(stub_->GetRecord(Context().get(), one, &record).ok());
  EXPECT_EQ(record.record().SerializeAsString(), recorded.records(1).SerializeAsString());
  one.set_name(absl::StrCat(kWave, "/records/GM0009"));
  EXPECT_EQ(status::Reason(status::FromGrpc(stub_->GetRecord(Context().get(), one, &record))), "RECORD_NOT_FOUND");
  v1::GetCaseRequest no_case;
  no_case.set_name(absl::StrCat(kWave, "/cases/GM0009"));
  v1::GetCaseResponse found;
  EXPECT_EQ(status::Reason(status::FromGrpc(stub_->GetCase(Context().get(), no_case, &found))), "CASE_NOT_FOUND");
}

TEST_F(DedupServiceTest, RulesAndTakesBack) {
  intake_.Submit({.id = "1", .municipality = "GM0002?GM0003"});
  StartDedup();
  ASSERT_TRUE(Report(1).ok());
  v1::CreateRulingResponse ruled;
  ASSERT_TRUE(stub_->CreateRuling(Context().get(), RulingRequest(Assign("1", "GM0003"), "a"), &ruled).ok());
  EXPECT_EQ(ruled.ruling().name(), absl::StrCat(kWave, "/rulings/1"));
  EXPECT_TRUE(ruled.ruling().has_ruled_at());
  EXPECT_EQ(Report(1, ruled.position().records())->report().records(), 1);
  v1::RetractRulingRequest retract;
  retract.set_name(ruled.ruling().name());
  retract.set_retracted_by("onderzoeker");
  retract.set_reason("vergissing");
  retract.set_request_id("b");
  v1::RetractRulingResponse retracted;
  ASSERT_TRUE(stub_->RetractRuling(Context().get(), retract, &retracted).ok());
  EXPECT_TRUE(retracted.ruling().has_retracted_at());
  EXPECT_EQ(Report(1)->report().waiting_cases(), 1);
  v1::ListRulingsRequest list;
  list.set_parent(kWave);
  v1::ListRulingsResponse listed;
  ASSERT_TRUE(stub_->ListRulings(Context().get(), list, &listed).ok());
  EXPECT_EQ(listed.rulings_size(), 1);
}

TEST_F(DedupServiceTest, RecordsWhoRuled) {
  intake_.Submit({.id = "1", .municipality = "GM0002?GM0003"});
  intake_.Submit({.id = "2", .municipality = "GM0002?GM0003"});
  StartDedup();
  ASSERT_TRUE(Report(2).ok());
  v1::CreateRulingRequest said = RulingRequest(Assign("1", "GM0003"), "a");
  v1::CreateRulingResponse response;
  ASSERT_TRUE(stub_->CreateRuling(ContextOf("keys/spss").get(), said, &response).ok());
  EXPECT_EQ(response.ruling().ruled_by(), "onderzoeker") << "on whose behalf is the caller's to say";
  EXPECT_EQ(response.ruling().recorded_by(), "keys/spss");
  v1::CreateRulingRequest unsaid = RulingRequest(Assign("2", "GM0003"), "b");
  unsaid.mutable_ruling()->clear_ruled_by();
  ASSERT_TRUE(stub_->CreateRuling(ContextOf("keys/spss").get(), unsaid, &response).ok());
  EXPECT_EQ(response.ruling().ruled_by(), "keys/spss");

  v1::RetractRulingRequest retract;
  retract.set_name(response.ruling().name());
  retract.set_reason("vergissing");
  retract.set_request_id("c");
  v1::RetractRulingResponse retracted;
  ASSERT_TRUE(stub_->RetractRuling(ContextOf("keys/other").get(), retract, &retracted).ok());
  EXPECT_EQ(retracted.ruling().recorded_by(), "keys/spss");
  EXPECT_EQ(retracted.ruling().retracted_by(), "keys/other");
  EXPECT_EQ(retracted.ruling().retraction_recorded_by(), "keys/other");
}

TEST_F(DedupServiceTest, WhoRulesIsNotTheCallersToMakeUp) {
  StartDedup();
  v1::CreateRulingRequest request = RulingRequest(Assign("1", "GM0003"), "a");
  request.mutable_ruling()->set_recorded_by("keys/another");
  request.mutable_ruling()->set_retraction_recorded_by("keys/another");
  v1::CreateRulingResponse response;
  const absl::Status status = status::FromGrpc(stub_->CreateRuling(ContextOf("keys/spss").get(), request, &response));
  ASSERT_EQ(status::FieldViolations(status).size(), 2u) << status;
  EXPECT_EQ(status::FieldViolations(status)[0].first, "ruling.recorded_by");
  EXPECT_EQ(status::FieldViolations(status)[1].first, "ruling.retraction_recorded_by");
}

TEST_F(DedupServiceTest, BadRequestNamesEveryField) {
  StartDedup();
  v1::CreateRulingRequest request;
  request.set_parent("waves/w");
  request.mutable_ruling()->set_response("surveys/s/waves/other/responses/1");
  request.mutable_ruling()->mutable_split()->add_municipality_codes("Aa");
  request.mutable_ruling()->set_name("mine");
  v1::CreateRulingResponse response;
  const absl::Status status = status::FromGrpc(stub_->CreateRuling(Context().get(), request, &response));
  EXPECT_EQ(status::Reason(status), "INVALID_REQUEST");
  std::vector<std::string> fields;
  for (const auto& [field, description] : status::FieldViolations(status)) fields.push_back(field);
  EXPECT_THAT(fields, testing::UnorderedElementsAre("parent", "ruling.response", "ruling.split.municipality_codes[0]",
                                                    "ruling.split.municipality_codes", "ruling.reason", "ruling.ruled_by", "ruling.name",
                                                    "request_id"));
  v1::ListCasesRequest list;
  list.set_parent(kWave);
  list.set_page_size(-1);
  list.set_state(static_cast<v1::CaseState>(77));
  v1::ListCasesResponse page;
  EXPECT_EQ(status::FieldViolations(status::FromGrpc(stub_->ListCases(Context().get(), list, &page))).size(), 2u);
}

}  // namespace
}  // namespace peiling::dedup
