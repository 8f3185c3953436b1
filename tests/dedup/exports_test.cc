// The raw exports of the waves of 2019 and 2022 through registry, validation, intake and dedup, all real, in one process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/common/server/server.h"
#include "services/dedup/dedup_module.h"
#include "services/intake/intake_module.h"
#include "services/registry/registry_module.h"
#include "services/validation/validation_module.h"
#include "tests/dedup/fixture.h"

namespace peiling::dedup {
namespace {

using testing::UnorderedElementsAre;

const std::string kSurvey = std::string(PEILING_SOURCE_DIR) + "/services/intake/surveys/sociale-wijkteams/";
constexpr char kWave2022[] = "surveys/sociale-wijkteams/waves/2022";
constexpr char kWave2019[] = "surveys/sociale-wijkteams/waves/2019";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return (std::ostringstream() << file.rdbuf()).str();
}

class ExportsTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/dedup_exports_" + std::to_string(::getpid());
    std::filesystem::create_directories(directory_);
    const auto registry = Start(registry::MakeModule({}));
    const auto validation = Start(validation::MakeModule({}, registry));
    const auto intake = Start(intake::MakeModule({.store = "sqlite:" + directory_ + "/intake.db"}, validation));
    const auto dedup = Start(MakeModule({.store = "sqlite:" + directory_ + "/dedup.db"}, intake, registry));
    intake_ = intake::v1::IntakeService::NewStub(intake);
    dedup_ = v1::DedupService::NewStub(dedup);
    Apply({"survey.yaml", "2019.yaml", "2022.yaml"});
  }

  void TearDown() override {
    for (auto server = servers_.rbegin(); server != servers_.rend(); ++server) (*server)->Shutdown();
    std::filesystem::remove_all(directory_);
  }

  std::shared_ptr<grpc::Channel> Start(absl::StatusOr<std::unique_ptr<server::Module>> module) {
    EXPECT_TRUE(module.ok()) << module.status();
    server::Options options;
    options.listen = "";
    options.drain_seconds = 1;
    auto server = server::Server::Start(options, *std::move(module));
    EXPECT_TRUE(server.ok()) << server.status();
    servers_.push_back(*std::move(server));
    return servers_.back()->InProcessChannel();
  }

  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return context;
  }

  void Apply(const std::vector<std::string>& files) {
    intake::v1::ApplyDocumentsRequest request;
    for (const std::string& file : files) {
      auto& document = *request.add_documents();
      document.set_filename(file);
      document.set_text(ReadFile(kSurvey + file));
    }
    intake::v1::ApplyDocumentsResponse response;
    const grpc::Status status = intake_->ApplyDocuments(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  // Imports an export and waits until it is counted.
  v1::CleaningReport Import(const std::string& wave) {
    auto context = Context();
    auto stream = intake_->ImportResponses(context.get());
    intake::v1::ImportResponsesRequest request;
    request.mutable_header()->set_parent(wave);
    stream->Write(request);
    request.set_content(ReadFile(kSurvey + "waves/" + wave.substr(wave.size() - 4) + "/responses.csv"));
    stream->Write(request);
    stream->WritesDone();
    survey::v1::FeedPosition position;
    for (intake::v1::ImportResponsesResponse report; stream->Read(&report);) {
      if (report.has_summary()) position = report.summary().position();
    }
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return Report(wave, position);
  }

  v1::CleaningReport Report(const std::string& wave, const survey::v1::FeedPosition& wait_for) {
    v1::GetCleaningReportRequest request;
    request.set_parent(wave);
    *request.mutable_wait_for() = wait_for;
    v1::GetCleaningReportResponse response;
    const grpc::Status status = dedup_->GetCleaningReport(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.report();
  }

  std::vector<v1::Case> Cases(v1::ListCasesRequest request) {
    request.set_parent(kWave2022);
    request.set_page_size(1000);
    v1::ListCasesResponse response;
    EXPECT_TRUE(dedup_->ListCases(Context().get(), request, &response).ok());
    return {response.cases().begin(), response.cases().end()};
  }

  std::string directory_;
  std::vector<std::unique_ptr<server::Server>> servers_;
  std::unique_ptr<intake::v1::IntakeService::Stub> intake_;
  std::unique_ptr<v1::DedupService::Stub> dedup_;
};

TEST_F(ExportsTest, WaveOf2022ComesToThePublishedReport) {
  const v1::CleaningReport before = Import(kWave2022);
  EXPECT_EQ(before.started(), 167);
  EXPECT_EQ(before.records(), 89);
  EXPECT_EQ(before.ambiguous(), 2);
  EXPECT_EQ(before.waiting_cases(), 1);

  v1::ListCasesRequest waiting;
  waiting.set_state(v1::CASE_STATE_WAITING);
  ASSERT_EQ(Cases(waiting).size(), 1u);
  EXPECT_EQ(Cases(waiting)[0].name(), absl::StrCat(kWave2022, "/cases/GM0373-GM0893"));

  v1::CreateRulingResponse ruled;
  for (const char* id : {"101", "103"}) {  // As in waves/2022/rulings.csv.
    v1::CreateRulingRequest request;
    request.set_parent(kWave2022);
    *request.mutable_ruling() = Assign(id, "GM0373");
    request.mutable_ruling()->set_response(absl::StrCat(kWave2022, "/responses/", id));
    request.set_request_id(id);
    const grpc::Status status = dedup_->CreateRuling(Context().get(), request, &ruled);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  const v1::CleaningReport after = Report(kWave2022, ruled.position());
  EXPECT_EQ(after.started(), 167);
  EXPECT_EQ(after.municipality_unknown(), 31);
  EXPECT_EQ(after.restarts(), 27);
  EXPECT_EQ(after.colleague_duplicates(), 22);
  EXPECT_EQ(after.equally_complete(), 2);
  EXPECT_EQ(after.kept(), 87);
  EXPECT_EQ(after.joint_questionnaires(), 2);
  EXPECT_EQ(after.records(), 90);
  EXPECT_EQ(after.complete(), 79);
  EXPECT_EQ(after.partial(), 11);
  EXPECT_EQ(after.waiting_cases(), 0);
  EXPECT_EQ(after.municipalities(), 344);
  EXPECT_EQ(SumOfDispositions(after), 167);

  v1::ListCasesRequest contradicting;
  contradicting.set_contradicting(true);
  std::set<std::string> titles;
  for (const v1::Case& survey_case : Cases(contradicting)) titles.insert(survey_case.titles(0));
  EXPECT_THAT(titles, UnorderedElementsAre("Veenendaal", "Oost Gelre"));
}

TEST_F(ExportsTest, WaveOf2019ComesTo212Records) {
  const v1::CleaningReport report = Import(kWave2019);
  EXPECT_EQ(report.started(), 236);
  EXPECT_EQ(report.records(), 212);
  EXPECT_EQ(report.waiting_cases(), 0);
  EXPECT_EQ(report.municipalities(), 355);
  EXPECT_EQ(SumOfDispositions(report), 236);
}

}  // namespace
}  // namespace peiling::dedup
