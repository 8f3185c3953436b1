// From the raw exports of two waves to the figures of the published report, through the real services in one process.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peiling/analytics/v1/analytics.grpc.pb.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/analytics/analytics_module.h"
#include "services/common/feed/position.h"
#include "services/common/server/server.h"
#include "services/common/status/errors.h"
#include "services/dedup/dedup_module.h"
#include "services/intake/intake_module.h"
#include "services/registry/registry_module.h"
#include "services/validation/validation_module.h"

namespace peiling::analytics {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kWave[] = "surveys/sociale-wijkteams/waves/2022";
constexpr char kEarlierWave[] = "surveys/sociale-wijkteams/waves/2019";

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// All services, with both waves imported and the rulings made.
class Suite {
 public:
  Suite() : folder_(MakeFolder()) {
    registry_ = Run(registry::MakeModule({}));
    validation_ = Run(validation::MakeModule({}, registry_->InProcessChannel()));
    intake_ = Run(intake::MakeModule({.store = "sqlite:" + (folder_ / "intake.db").string()}, validation_->InProcessChannel()));
    dedup_ = Run(dedup::MakeModule({.store = "sqlite:" + (folder_ / "dedup.db").string()}, intake_->InProcessChannel(),
                                   registry_->InProcessChannel()));
    analytics_ = Run(MakeModule({}, intake_->InProcessChannel(), dedup_->InProcessChannel(), registry_->InProcessChannel()));
    stub = v1::AnalyticsService::NewStub(analytics_->InProcessChannel());
    Apply();
    Import(kEarlierWave, "2019");
    position = Import(kWave, "2022");
    Rule();
  }

  ~Suite() {
    for (auto* server : {&analytics_, &dedup_, &intake_, &validation_, &registry_}) server->reset();
    fs::remove_all(folder_);
  }

  // Erases the personal answers of every response of 2022; how many responses there are.
  int ErasePersonalAnswers() {
    const auto intake = Intake();
    intake::v1::ListResponsesRequest list;
    list.set_parent(kWave);
    list.set_page_size(1000);
    intake::v1::ListResponsesResponse responses;
    grpc::ClientContext context;
    EXPECT_TRUE(intake->ListResponses(&context, list, &responses).ok());
    EXPECT_EQ(responses.next_page_token(), "");
    for (const auto& response : responses.responses()) {
      intake::v1::ErasePersonalAnswersRequest request;
      request.set_name(response.name());
      request.set_request_id("erase " + response.name());
      intake::v1::ErasePersonalAnswersResponse erased;
      grpc::ClientContext erasing;
      EXPECT_TRUE(intake->ErasePersonalAnswers(&erasing, request, &erased).ok());
      EXPECT_TRUE(erased.response().has_personal_erased_at());
      feed::SetSubmissions(position, 0, erased.response().sequence());
    }
    return responses.responses_size();
  }

  dedup::v1::CleaningReport CleaningReport() {
    dedup::v1::GetCleaningReportRequest request;
    request.set_parent(kWave);
    *request.mutable_wait_for() = position;
    dedup::v1::GetCleaningReportResponse report;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const auto reported = dedup::v1::DedupService::NewStub(dedup_->InProcessChannel())->GetCleaningReport(&context, request, &report);
    EXPECT_TRUE(reported.ok()) << reported.error_message();
    return report.report();
  }

  std::unique_ptr<v1::AnalyticsService::Stub> stub;
  // Everything of 2022 is in.
  survey::v1::FeedPosition position;

 private:
  static fs::path MakeFolder() {
    std::string name = (fs::temp_directory_path() / "peiling-analytics-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    return name;
  }

  static std::unique_ptr<server::Server> Run(absl::StatusOr<std::unique_ptr<server::Module>> module) {
    EXPECT_TRUE(module.ok()) << module.status();
    auto server = server::Server::Start({.listen = "", .drain_seconds = 1}, *std::move(module));
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }

  void Apply() {
    intake::v1::ApplyDocumentsRequest request;
    for (const char* file : {"survey.yaml", "2019.yaml", "2022.yaml", "published-2022.yaml"}) {
      auto& document = *request.add_documents();
      document.set_filename(file);
      document.set_text(ReadFile(fs::path(PEILING_SURVEYS) / "sociale-wijkteams" / file));
    }
    intake::v1::ApplyDocumentsResponse response;
    grpc::ClientContext context;
    const auto applied = Intake()->ApplyDocuments(&context, request, &response);
    EXPECT_TRUE(applied.ok()) << applied.error_message();
  }

  survey::v1::FeedPosition Import(const std::string& wave, const std::string& folder) {
    grpc::ClientContext context;
    const auto intake = Intake();
    auto stream = intake->ImportResponses(&context);
    intake::v1::ImportResponsesRequest request;
    request.mutable_header()->set_parent(wave);
    stream->Write(request);
    request.set_content(ReadFile(fs::path(PEILING_SURVEYS) / "sociale-wijkteams" / "waves" / folder / "responses.csv"));
    stream->Write(request);
    stream->WritesDone();
    intake::v1::ImportResponsesResponse response;
    survey::v1::FeedPosition reached;
    while (stream->Read(&response)) {
      if (response.has_summary()) reached = response.summary().position();
    }
    const auto imported = stream->Finish();
    EXPECT_TRUE(imported.ok()) << imported.error_message();
    return reached;
  }

  void Rule() {
    auto dedup = dedup::v1::DedupService::NewStub(dedup_->InProcessChannel());
    // Dedup has to have heard of the responses before a ruling on them.
    dedup::v1::GetCleaningReportRequest wait;
    wait.set_parent(kWave);
    *wait.mutable_wait_for() = position;
    dedup::v1::GetCleaningReportResponse report;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const auto waited = dedup->GetCleaningReport(&context, wait, &report);
    EXPECT_TRUE(waited.ok()) << waited.error_message();
    for (const char* response : {"101", "103"}) {
      dedup::v1::CreateRulingRequest request;
      request.set_parent(kWave);
      request.set_request_id(std::string("bergen-") + response);
      request.mutable_ruling()->set_response(std::string(kWave) + "/responses/" + response);
      request.mutable_ruling()->mutable_assign()->set_municipality_code("GM0373");
      request.mutable_ruling()->set_reason("nagevraagd bij de gemeente");
      request.mutable_ruling()->set_ruled_by("onderzoeker");
      dedup::v1::CreateRulingResponse created;
      grpc::ClientContext ruling;
      const auto ruled = dedup->CreateRuling(&ruling, request, &created);
      EXPECT_TRUE(ruled.ok()) << ruled.error_message();
      position = created.position();
    }
  }

  std::unique_ptr<intake::v1::IntakeService::Stub> Intake() { return intake::v1::IntakeService::NewStub(intake_->InProcessChannel()); }

  const fs::path folder_;
  std::unique_ptr<server::Server> registry_, validation_, intake_, dedup_, analytics_;
};

class Wave2022Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { suite_ = new Suite(); }
  static void TearDownTestSuite() { delete std::exchange(suite_, nullptr); }

  template <typename Request, typename Response>
  Response Ask(grpc::Status (v1::AnalyticsService::Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request) {
    if constexpr (requires { request.mutable_wait_for(); }) *request.mutable_wait_for() = suite_->position;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    Response response;
    const auto called = (suite_->stub.get()->*method)(&context, request, &response);
    EXPECT_TRUE(called.ok()) << called.error_message();
    return response;
  }

  static Suite* suite_;
};

Suite* Wave2022Test::suite_ = nullptr;

TEST_F(Wave2022Test, EveryPublishedFigureComesOutOrIsAListedSlipOrContradiction) {
  v1::CompareWithPublishedRequest request;
  request.set_parent(kWave);
  const auto comparison = Ask(&v1::AnalyticsService::Stub::CompareWithPublished, request);
  EXPECT_GT(comparison.figures_size(), 250);
  EXPECT_EQ(comparison.differing(), 0);
  EXPECT_EQ(comparison.matching() + comparison.slips() + comparison.contradicted(), comparison.figures_size());
  for (const auto& figure : comparison.figures()) {
    const auto& published = figure.published();
    // Where facts contradict the report, the facts decide; some of those figures come out all the same.
    if (!published.contradiction().empty() && figure.verdict() == v1::VERDICT_CONTRADICTED) continue;
    EXPECT_EQ(figure.verdict(), published.slip() ? v1::VERDICT_SLIP : v1::VERDICT_MATCHES)
        << published.id() << ": printed " << published.percent() << "% of " << published.base() << ", computed " << figure.k() << " of "
        << figure.n();
  }
}

TEST_F(Wave2022Test, TheReportsContradictionsAreNamed) {
  v1::CompareWithPublishedRequest request;
  request.set_parent(kWave);
  std::map<std::string, v1::ClaimComparison> claims;
  const auto comparison = Ask(&v1::AnalyticsService::Stub::CompareWithPublished, request);
  for (const auto& claim : comparison.claims()) claims[claim.published().id()] = claim;
  const std::map<std::string, std::string> wrong{
      {"panel_representativeness", "63 van 90 (70 procent), niet 72 procent."},
      {"response_2014", "224 van 403 (56 procent), niet 60 procent."},
      {"response_2015", "234 van 393 (60 procent), niet 56 procent."},
      {"small_share", "58 van 90 (64 procent), niet 63 procent."},
      {"size_bands", "het getal 50.000"},
      {"small_over_represented",
       "58 van 90 (64 procent) van de deelnemende gemeenten, tegenover 254 van 344 (74 procent) van alle gemeenten"}};
  for (const auto& [id, claim] : claims) {
    const auto found = wrong.find(id);
    EXPECT_EQ(claim.verdict(), found == wrong.end() ? v1::VERDICT_MATCHES : v1::VERDICT_DIFFERS) << id << ": " << claim.finding();
    if (found != wrong.end()) {
      EXPECT_THAT(claim.finding(), HasSubstr(found->second));
    }
  }
  for (const auto& [id, finding] : wrong) EXPECT_TRUE(claims.contains(id)) << id;
}

TEST_F(Wave2022Test, ProgressEndsAtTheReportsResponse) {
  v1::GetProgressRequest request;
  request.set_parent(kWave);
  const auto now = Ask(&v1::AnalyticsService::Stub::GetProgress, request).progress();
  ASSERT_GT(now.lines_size(), 0);
  EXPECT_EQ(now.lines(0).municipalities(), 344);
  EXPECT_EQ(now.lines(0).started(), 167);
  EXPECT_EQ(now.started_unknown(), 31);
  EXPECT_EQ(now.lines(0).usable(), 90);
  EXPECT_EQ(now.lines(0).complete(), 79);
  EXPECT_EQ(now.lines(0).response_percent(), 26);
  EXPECT_EQ(now.notices_size(), 1);
  request.set_as_of("2022-12-31");
  const auto closed = Ask(&v1::AnalyticsService::Stub::GetProgress, request).progress();
  for (int i = 0; i < now.lines_size(); ++i) EXPECT_EQ(now.lines(i).SerializeAsString(), closed.lines(i).SerializeAsString());
  request.set_as_of("2022-09-04");
  EXPECT_EQ(Ask(&v1::AnalyticsService::Stub::GetProgress, request).progress().lines(0).started(), 0);
}

TEST_F(Wave2022Test, TrendsJoinRecordsAndPrint) {
  v1::ListTrendsRequest request;
  request.set_parent("surveys/sociale-wijkteams");
  const auto response = Ask(&v1::AnalyticsService::Stub::ListTrends, request);
  const auto& trends = response.trends();
  ASSERT_GT(trends.size(), 30);
  int slips = 0;
  for (const auto& trend : trends) {
    for (const auto& point : trend.points()) {
      slips += point.published_slip() ? 1 : 0;
      if (point.wave() != "2022" && point.wave() != "2019") {
        EXPECT_NE(point.source(), v1::FIGURE_SOURCE_RECORDS);
        continue;
      }
      if (point.comparability() == survey::v1::COMPARABILITY_STATUS_BROKEN) continue;
      EXPECT_EQ(point.source(), v1::FIGURE_SOURCE_RECORDS) << trend.id() << " " << point.wave();
      if (point.has_published_percent() && !point.published_slip()) {
        EXPECT_EQ(point.percent(), point.published_percent()) << trend.id() << " " << point.wave();
      }
    }
  }
  EXPECT_EQ(slips, 1);
  EXPECT_EQ(trends[0].id(), "teams");
  ASSERT_EQ(trends[0].points_size(), 5);
  EXPECT_EQ(trends[0].points(3).n(), 212);
}

TEST_F(Wave2022Test, WhatWasNotAskedIn2019HasNoTrend) {
  v1::GetTrendRequest request;
  request.set_parent("surveys/sociale-wijkteams");
  request.mutable_option()->set_question("Q40");
  request.mutable_option()->set_option("consultatie");
  const auto trend = Ask(&v1::AnalyticsService::Stub::GetTrend, request).trend();
  ASSERT_EQ(trend.points_size(), 2);
  EXPECT_EQ(trend.points(0).comparability(), survey::v1::COMPARABILITY_STATUS_BROKEN);
  EXPECT_FALSE(trend.points(0).has_percent());
  EXPECT_NE(trend.points(0).comparability_reason(), "");
  EXPECT_TRUE(trend.points(1).has_percent());
}

// The last one: it changes what the others look at.
TEST_F(Wave2022Test, ErasingPersonalAnswersChangesNoTableAndNothingInTheCleaningReport) {
  const auto everything = [this] {
    v1::TabulateRequest tables;
    tables.set_parent(kWave);
    auto tabulated = Ask(&v1::AnalyticsService::Stub::Tabulate, tables);
    EXPECT_GT(tabulated.tables_size(), 40);
    tabulated.clear_position();
    v1::CompareWithPublishedRequest figures;
    figures.set_parent(kWave);
    auto compared = Ask(&v1::AnalyticsService::Stub::CompareWithPublished, figures);
    compared.clear_position();
    v1::GetProgressRequest progress;
    progress.set_parent(kWave);
    auto reached = Ask(&v1::AnalyticsService::Stub::GetProgress, progress);
    reached.mutable_progress()->clear_position();
    return std::vector<std::string>{tabulated.DebugString(), compared.DebugString(), reached.DebugString(),
                                    suite_->CleaningReport().DebugString()};
  };
  const std::vector<std::string> before = everything();
  EXPECT_GT(suite_->ErasePersonalAnswers(), 100);
  EXPECT_EQ(everything(), before);
}

}  // namespace
}  // namespace peiling::analytics
