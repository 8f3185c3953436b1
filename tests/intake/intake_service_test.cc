// Intake as its callers see it, with the real validation behind it.
#include "services/intake/intake_service.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/common/server/server.h"
#include "services/intake/intake_module.h"
#include "services/validation/validation_module.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::testing::UnorderedElementsAre;

constexpr char kSurveys[] = PEILING_SOURCE_DIR "/services/intake/surveys/";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class IntakeServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    validation_ = Start(*validation::MakeModule({}, nullptr));
    intake_ = Start(*MakeModule({.store = "sqlite::memory:"}, validation_->InProcessChannel()));
    stub_ = v1::IntakeService::NewStub(intake_->InProcessChannel());
  }
  void TearDown() override {
    intake_->Shutdown();
    validation_->Shutdown();
  }

  static std::unique_ptr<server::Server> Start(std::unique_ptr<server::Module> module) {
    server::Options options;
    options.listen = "";
    options.drain_seconds = 1;
    auto server = server::Server::Start(options, std::move(module));
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }
  absl::Status Apply(const std::vector<std::string>& texts) {
    grpc::ClientContext context;
    v1::ApplyDocumentsResponse response;
    return status::FromGrpc(stub_->ApplyDocuments(&context, Documents(texts), &response));
  }
  absl::StatusOr<v1::Response> Submit(const v1::SubmitResponseRequest& request) {
    grpc::ClientContext context;
    v1::SubmitResponseResponse response;
    const absl::Status status = status::FromGrpc(stub_->SubmitResponse(&context, request, &response));
    if (!status.ok()) return status;
    return response.response();
  }
  absl::StatusOr<v1::ImportSummary> Import(const std::string& wave, const std::string& file) {
    grpc::ClientContext context;
    auto stream = stub_->ImportResponses(&context);
    std::thread writer([&] {
      v1::ImportResponsesRequest request;
      request.mutable_header()->set_parent(wave);
      request.mutable_header()->set_content_length(static_cast<int64_t>(file.size()));
      stream->Write(request);
      for (size_t at = 0; at < file.size(); at += 10'000) {
        request.set_content(file.substr(at, 10'000));
        if (!stream->Write(request)) break;
      }
      stream->WritesDone();
    });
    v1::ImportSummary summary;
    v1::ImportResponsesResponse report;
    while (stream->Read(&report)) {
      if (report.has_summary()) summary = report.summary();
    }
    writer.join();
    const absl::Status status = status::FromGrpc(stream->Finish());
    if (!status.ok()) return status;
    return summary;
  }

  std::unique_ptr<server::Server> validation_;
  std::unique_ptr<server::Server> intake_;
  std::unique_ptr<v1::IntakeService::Stub> stub_;
};

TEST_F(IntakeServiceTest, NamesEveryWrongFieldOfASubmission) {
  v1::SubmitResponseRequest request;
  request.set_parent("surveys/poll");
  v1::Response& response = *request.mutable_response();
  response.set_name("mine");
  response.set_state(v1::RESPONSE_STATE_SUBMITTED);
  response.mutable_submitted_at();
  response.mutable_updated_at();
  response.set_respondent_key("k");
  response.add_issues();
  response.mutable_completeness();
  response.set_etag("e");
  response.set_sequence(1);
  response.set_withdrawal_reason("r");
  response.add_municipalities("GM0363");
  response.add_municipality_answers()->set_municipality("GM0363");
  response.mutable_personal_erased_at()->set_seconds(1);
  response.set_last_section(-1);
  response.mutable_started_at()->set_nanos(-1);
  const absl::Status status = Submit(request).status();
  EXPECT_EQ(status::Reason(status), "INVALID_REQUEST");
  std::vector<std::string> fields;
  for (const auto& [field, description] : status::FieldViolations(status)) fields.push_back(field);
  EXPECT_THAT(fields, UnorderedElementsAre("parent", "request_id", "response.name", "response.state", "response.submitted_at",
                                           "response.updated_at", "response.respondent_key", "response.issues", "response.completeness",
                                           "response.etag", "response.sequence", "response.withdrawal_reason", "response.municipalities",
                                           "response.municipality_answers", "response.personal_erased_at", "response.last_section",
                                           "response.started_at"));
}

TEST_F(IntakeServiceTest, RefusesAResponseTooLargeForTheFeed) {
  ASSERT_TRUE(Apply({kSurveyYaml, kWaveYaml}).ok());
  v1::SubmitResponseRequest request = Submission("a");
  request.mutable_response()->mutable_answers()->add_answers()->set_text(std::string(1 << 20, 'x'));
  const auto violations = status::FieldViolations(Submit(request).status());
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].first, "response");
}

TEST_F(IntakeServiceTest, SubmittedResponsesCanBeFound) {
  ASSERT_TRUE(Apply({kSurveyYaml, kWaveYaml}).ok());
  const auto submitted = Submit(Submission("a"));
  ASSERT_TRUE(submitted.ok()) << submitted.status();

  v1::GetResponseRequest get;
  get.set_name(submitted->name());
  v1::GetResponseResponse got;
  grpc::ClientContext plain, personal, list, wave;
  ASSERT_TRUE(stub_->GetResponse(&plain, get, &got).ok());
  EXPECT_EQ(got.response().DebugString(), submitted->DebugString());
  EXPECT_EQ(got.response().answers().answers_size(), 1);
  get.set_view(v1::RESPONSE_VIEW_PERSONAL);
  ASSERT_TRUE(stub_->GetResponse(&personal, get, &got).ok());
  ASSERT_EQ(got.response().answers().answers_size(), 2);
  EXPECT_EQ(got.response().answers().answers(0).text(), "Jansen");

  v1::ListResponsesRequest list_request;
  list_request.set_parent(kWaveName);
  v1::ListResponsesResponse listed;
  ASSERT_TRUE(stub_->ListResponses(&list, list_request, &listed).ok());
  ASSERT_EQ(listed.responses_size(), 1);
  EXPECT_EQ(listed.responses(0).DebugString(), submitted->DebugString());

  v1::GetWaveRequest wave_request;
  wave_request.set_name(kWaveName);
  v1::GetWaveResponse wave_response;
  ASSERT_TRUE(stub_->GetWave(&wave, wave_request, &wave_response).ok());
  EXPECT_EQ(wave_response.wave().response_count(), 1);
  EXPECT_EQ(wave_response.wave().last_sequence(), 1u);
}

TEST_F(IntakeServiceTest, RealValidationNamesTheQuestion) {
  ASSERT_TRUE(Apply({kSurveyYaml, kWaveYaml}).ok());
  v1::SubmitResponseRequest request = Submission("a");
  survey::v1::Answer& answer = *request.mutable_response()->mutable_answers()->add_answers();
  answer.set_question("Q4");
  answer.mutable_selection()->add_codes("kanaal");
  const absl::Status status = Submit(request).status();
  EXPECT_EQ(status::Reason(status), "RESPONSE_INVALID");
  ASSERT_EQ(status::FieldViolations(status).size(), 1u);
  EXPECT_EQ(status::FieldViolations(status)[0].first, "Q4");
}

TEST_F(IntakeServiceTest, AWatchReplaysMarksAndFollows) {
  ASSERT_TRUE(Apply({kSurveyYaml, kWaveYaml}).ok());
  ASSERT_TRUE(Submit(Submission("a", "Ede")).ok());
  ASSERT_TRUE(Submit(Submission("b", "Edam")).ok());

  grpc::ClientContext context;
  v1::WatchSubmissionsRequest request;
  request.set_parent(kWaveName);
  request.set_after_sequence(1);
  auto watch = stub_->WatchSubmissions(&context, request);
  v1::WatchSubmissionsResponse message;
  ASSERT_TRUE(watch->Read(&message));
  EXPECT_EQ(message.submission().sequence(), 2u);
  EXPECT_EQ(message.submission().response().answers().answers(0).text(), "Edam");
  EXPECT_EQ(message.submission().response().etag(), "");
  ASSERT_TRUE(watch->Read(&message));
  EXPECT_EQ(message.caught_up().sequence(), 2u);
  ASSERT_TRUE(Submit(Submission("c", "Elburg")).ok());
  ASSERT_TRUE(watch->Read(&message));
  EXPECT_EQ(message.submission().sequence(), 3u);
  context.TryCancel();
  EXPECT_FALSE(watch->Read(&message));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(IntakeServiceTest, AWatchFromTheFutureOrOfNothingIsRefused) {
  ASSERT_TRUE(Apply({kSurveyYaml, kWaveYaml}).ok());
  v1::WatchSubmissionsRequest request;
  v1::WatchSubmissionsResponse message;
  request.set_parent(kWaveName);
  request.set_after_sequence(1);
  grpc::ClientContext future, nothing;
  auto watch = stub_->WatchSubmissions(&future, request);
  EXPECT_FALSE(watch->Read(&message));
  EXPECT_EQ(status::Reason(status::FromGrpc(watch->Finish())), "SEQUENCE_IN_FUTURE");
  request.set_parent("surveys/poll/waves/no");
  watch = stub_->WatchSubmissions(&nothing, request);
  EXPECT_FALSE(watch->Read(&message));
  EXPECT_EQ(status::Reason(status::FromGrpc(watch->Finish())), "WAVE_NOT_FOUND");
}

TEST_F(IntakeServiceTest, EveryPartitionOfAWaveIsWatchedByItself) {
  ASSERT_TRUE(Apply({kSurveyYaml, Replaced(kWaveYaml, "language: nl", "language: nl\npartitions: 3")}).ok());
  std::map<std::string, int> submitted;
  for (int i = 0; i < 12; ++i) {
    const std::string id = "request-" + std::to_string(i);
    const auto response = Submit(Submission(id));
    ASSERT_TRUE(response.ok()) << response.status();
    submitted[response->name()] = names::PartitionOf(id, 3);
  }
  v1::WatchSubmissionsRequest request;
  request.set_parent(kWaveName);
  v1::WatchSubmissionsResponse message;
  std::map<std::string, int> watched;
  for (int partition = 0; partition < 3; ++partition) {
    grpc::ClientContext context;
    request.set_partition(partition);
    auto watch = stub_->WatchSubmissions(&context, request);
    for (uint64_t sequence = 1; watch->Read(&message) && message.has_submission(); ++sequence) {
      EXPECT_EQ(message.submission().sequence(), sequence);
      EXPECT_EQ(message.submission().response().sequence(), sequence);
      watched[message.submission().response().name()] = partition;
    }
    EXPECT_TRUE(message.has_caught_up());
    context.TryCancel();
    watch->Finish();
  }
  EXPECT_EQ(watched, submitted);
  for (const int none : {-1, 3}) {
    grpc::ClientContext context;
    request.set_partition(none);
    auto watch = stub_->WatchSubmissions(&context, request);
    EXPECT_FALSE(watch->Read(&message));
    const absl::Status status = status::FromGrpc(watch->Finish());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << none;
    ASSERT_EQ(status::FieldViolations(status).size(), 1u);
    EXPECT_EQ(status::FieldViolations(status)[0].first, "partition");
  }
}

TEST_F(IntakeServiceTest, WatchesOfWavesTellOfWaves) {
  ASSERT_TRUE(Apply({kSurveyYaml, kWaveYaml}).ok());
  grpc::ClientContext context;
  auto watch = stub_->WatchWaves(&context, {});
  v1::WatchWavesResponse message;
  ASSERT_TRUE(watch->Read(&message));
  EXPECT_EQ(message.wave().wave().name(), kWaveName);
  EXPECT_EQ(message.wave().sequence(), 1u);
  ASSERT_TRUE(watch->Read(&message));
  EXPECT_TRUE(message.has_caught_up());
  context.TryCancel();
  watch->Finish();
}

TEST_F(IntakeServiceTest, OneWatcherTooManyIsRefusedAndOneGoneMakesRoom) {
  struct Watch {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchWavesResponse>> reader;
  };
  v1::WatchWavesResponse message;
  const auto open = [&](Watch& watch) {
    watch.reader = stub_->WatchWaves(&watch.context, {});
    return watch.reader->Read(&message);
  };
  std::vector<Watch> watches(IntakeService::kMaxWatchers);
  for (Watch& watch : watches) ASSERT_TRUE(open(watch));
  Watch surplus;
  EXPECT_FALSE(open(surplus));
  EXPECT_EQ(status::Reason(status::FromGrpc(surplus.reader->Finish())), "TOO_MANY_WATCHERS");
  for (Watch& watch : watches) watch.context.TryCancel();
  for (Watch& watch : watches) watch.reader->Finish();
  bool room = false;
  for (int tries = 0; tries < 100 && !room; ++tries) {
    Watch later;
    room = open(later);
    later.context.TryCancel();
    later.reader->Finish();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(room);
}

TEST_F(IntakeServiceTest, OneImportTooManyIsRefused) {
  ASSERT_TRUE(Apply({kSurveyYaml, kWaveYaml}).ok());
  struct OpenImport {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::ImportResponsesRequest, v1::ImportResponsesResponse>> stream;
  };
  const auto open = [&](OpenImport& import) {
    v1::ImportResponsesRequest request;
    request.mutable_header()->set_parent(kWaveName);
    import.stream = stub_->ImportResponses(&import.context);
    import.stream->Write(request);
    request.set_content(ExportOf(64));
    import.stream->Write(request);
    v1::ImportResponsesResponse report;
    return import.stream->Read(&report);
  };
  std::vector<OpenImport> imports(IntakeService::kMaxImports);
  for (OpenImport& import : imports) ASSERT_TRUE(open(import));
  OpenImport surplus;
  EXPECT_FALSE(open(surplus));
  EXPECT_EQ(status::Reason(status::FromGrpc(surplus.stream->Finish())), "TOO_MANY_IMPORTS");
  for (OpenImport& import : imports) import.context.TryCancel();
  for (OpenImport& import : imports) import.stream->Finish();
}

TEST_F(IntakeServiceTest, ShuttingDownEndsWatches) {
  grpc::ClientContext context;
  auto watch = stub_->WatchWaves(&context, {});
  v1::WatchWavesResponse message;
  ASSERT_TRUE(watch->Read(&message));
  std::thread shutdown([this] { intake_->Shutdown(); });
  EXPECT_FALSE(watch->Read(&message));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  shutdown.join();
}

TEST_F(IntakeServiceTest, ImportsOverTheWire) {
  ASSERT_TRUE(Apply({kSurveyYaml, kWaveYaml}).ok());
  const auto summary = Import(kWaveName, ExportOf(300));
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->added(), 300);
  EXPECT_EQ(Import(kWaveName, ExportOf(300))->unchanged(), 300);
  EXPECT_EQ(status::Reason(Import(kWaveName, "id\n").status()), "EXPORT_COLUMNS");
}

TEST_F(IntakeServiceTest, TakesInTheExportsOfTheRealPoll) {
  const std::string poll = std::string(kSurveys) + "sociale-wijkteams/";
  std::vector<std::string> documents;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(poll)) {
    if (entry.path().extension() == ".yaml") documents.push_back(ReadFile(entry.path()));
  }
  ASSERT_TRUE(Apply(documents).ok()) << Apply(documents);
  for (const auto& [wave, rows] : std::map<std::string, int>{{"2022", 167}, {"2019", 236}}) {
    const std::string name = "surveys/sociale-wijkteams/waves/" + wave;
    const std::string file = ReadFile(absl::StrCat(poll, "waves/", wave, "/responses.csv"));
    const auto summary = Import(name, file);
    ASSERT_TRUE(summary.ok()) << wave << ": " << summary.status();
    EXPECT_EQ(summary->added(), rows) << summary->DebugString();
    EXPECT_EQ(summary->with_errors(), 0) << summary->DebugString();
    EXPECT_EQ(Import(name, file)->unchanged(), rows);
  }
}

}  // namespace
}  // namespace peiling::intake
