// A small poll and what intake's tests need around it.
#pragma once

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/validation/v1/validation_mock.grpc.pb.h"
#include "services/common/names/partitions.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "services/common/survey/documents.h"
#include "services/common/vault/vault.h"
#include "services/intake/catalog.h"
#include "services/intake/response_importer.h"
#include "services/intake/response_store.h"
#include "services/intake/response_validator.h"
#include "services/intake/submission_batcher.h"

namespace peiling::intake {

inline constexpr char kWaveName[] = "surveys/poll/waves/one";

inline constexpr char kSurveyYaml[] = R"(kind: survey
survey: poll
title: A poll
)";

// Every type of question; Q1, Q2 and Q9 are personal.
inline constexpr char kWaveYaml[] = R"(kind: wave
survey: poll
wave: one
title: The first wave
frame_date: 2022-03-24
opened: 2022-09-05
language: nl
sections:
- title: Wie
  questions:
  - {code: Q1, type: text, title: Naam, personal: true, role: respondent}
  - {code: Q2, type: text, title: Functie, personal: true}
  - {code: Q3, type: text, title: Gemeente, role: municipality}
- title: Wat
  questions:
  - code: Q4
    type: single
    other: true
    title: Waar
    options: [{code: wijk, label: Wijk}, {code: stad, label: Stad, comment: true}]
  - code: Q5
    type: multiple
    other: true
    title: Hoe
    options: [{code: loket, label: Loket}, {code: post, label: Post}]
  - {code: Q6, type: number, title: Hoeveel}
  - {code: Q7, type: date, title: Wanneer}
  - code: Q8
    type: matrix
    title: Wie doet mee
    rows: [{code: po, label: Basisschool}, {code: vo, label: Middelbare school}]
    options: [{code: ja, label: Ja}, {code: nee, label: Nee}]
  - code: Q9
    type: single
    personal: true
    title: Contact
    options: [{code: nee, label: Nee}, {code: ja, label: Ja, comment: true}]
)";

inline constexpr char kHeader[] =
    "id,startdate,datestamp,submitdate,lastpage,startlanguage,Q1,Q2,Q3,Q4,Q4[other],Q4[comment],Q5[loket],Q5[post],Q5[other],Q6,Q7,"
    "Q8[po],Q8[vo],Q9,Q9[comment]";

// The value of what must have one.
template <typename T>
T Must(absl::StatusOr<T> value) {
  EXPECT_TRUE(value.ok()) << value.status();
  return *std::move(value);
}

inline std::shared_ptr<const survey::CompiledQuestionnaire> PollQuestionnaire() {
  status::BadRequest bad;
  auto document = survey::ParseDocument("wave.yaml", kWaveYaml, bad);
  EXPECT_TRUE(bad.empty()) << bad.ToStatus();
  auto compiled = survey::CompiledQuestionnaire::Compile(*std::get<survey::WaveDocument>(*document).questionnaire);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return *compiled;
}

inline v1::ApplyDocumentsRequest Documents(const std::vector<std::string>& texts) {
  v1::ApplyDocumentsRequest request;
  int i = 0;
  for (const std::string& text : texts) {
    v1::Document& document = *request.add_documents();
    document.set_filename("file" + std::to_string(++i) + ".yaml");
    document.set_text(text);
  }
  return request;
}

inline std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// Stands in for validation: a text "FOUT" is an error, "LET OP" a warning; everything else is well.
class FakeValidation : public ::testing::NiceMock<validation::v1::MockValidationServiceStub> {
 public:
  FakeValidation() {
    ON_CALL(*this, ValidateResponses)
        .WillByDefault([this](grpc::ClientContext*, const validation::v1::ValidateResponsesRequest& request,
                              validation::v1::ValidateResponsesResponse* response) { return Judge(request, *response); });
  }

  // Requests seen, by number of responses.
  std::vector<int> calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  // Validation forgets the questionnaires it has seen.
  void Forget() {
    const std::lock_guard lock(mutex_);
    known_.clear();
  }

 private:
  grpc::Status Judge(const validation::v1::ValidateResponsesRequest& request, validation::v1::ValidateResponsesResponse& response) {
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(request.responses_size());
      if (request.has_questionnaire()) known_.push_back(survey::Fingerprint(request.questionnaire()));
      if (std::find(known_.begin(), known_.end(), request.questionnaire_fingerprint()) == known_.end()) {
        return status::ToGrpc(status::Error(absl::StatusCode::kFailedPrecondition, "QUESTIONNAIRE_UNKNOWN", "send it"));
      }
    }
    response.Clear();
    for (const auto& input : request.responses()) {
      auto& result = *response.add_results();
      result.mutable_completeness()->set_answered(input.answers().answers_size());
      for (const auto& answer : input.answers().answers()) {
        if (answer.text() != "FOUT" && answer.text() != "LET OP") continue;
        auto& issue = *result.add_issues();
        issue.set_question(answer.question());
        issue.set_kind(validation::v1::ISSUE_KIND_WRONG_TYPE);
        issue.set_severity(answer.text() == "FOUT" ? validation::v1::SEVERITY_ERROR : validation::v1::SEVERITY_WARNING);
        issue.set_message("niet goed");
      }
    }
    return grpc::Status::OK;
  }

  std::mutex mutex_;
  std::vector<std::string> known_;
  std::vector<int> calls_;
};

// Always with the same key, as replicas have.
inline std::unique_ptr<vault::Vault> TestVault() { return *vault::Vault::Make("test AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="); }

// Intake without its server, on a store.
struct Rooms {
  explicit Rooms(storage::Store& store, BatchLimits limits = {}, calendar::Clock clock = absl::Now)
      : store(store),
        catalog(store, std::move(clock)),
        responses(store, *vault),
        validator(validation),
        batcher(catalog, responses, validator, limits) {}

  void Apply(const std::vector<std::string>& texts = {kSurveyYaml, kWaveYaml}) {
    auto applied = catalog.Apply(Documents(texts));
    ASSERT_TRUE(applied.ok()) << applied.status();
  }
  // Submits and waits.
  absl::StatusOr<v1::SubmitResponseResponse> Submit(const v1::SubmitResponseRequest& request,
                                                    std::chrono::milliseconds time_left = std::chrono::seconds(20)) {
    v1::SubmitResponseResponse response;
    std::promise<absl::Status> done;
    batcher.Submit(request, std::chrono::system_clock::now() + time_left, &response,
                   [&done](const absl::Status& status) { done.set_value(status); });
    const absl::Status status = done.get_future().get();
    if (!status.ok()) return status;
    return response;
  }
  // The whole feed of one of the wave's partitions, as bytes.
  std::vector<std::string> Feed(int partition = 0) {
    std::vector<std::string> values;
    auto events = store.ReadFeed(names::PartitionName(kWaveName, partition), 0, 100'000);
    EXPECT_TRUE(events.ok()) << events.status();
    for (auto& event : *events) values.push_back(std::move(event.value));
    return values;
  }

  storage::Store& store;
  const std::unique_ptr<vault::Vault> vault = TestVault();
  FakeValidation validation;
  Catalog catalog;
  ResponseStore responses;
  ResponseValidator validator;
  SubmissionBatcher batcher;
  ResponseImporter importer{catalog, responses, validator};
};

inline std::unique_ptr<storage::Store> MemoryStore() {
  auto store = storage::OpenStore("sqlite::memory:", "test");
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

inline void AddText(v1::Response& response, const std::string& question, const std::string& text) {
  survey::v1::Answer& answer = *response.mutable_answers()->add_answers();
  answer.set_question(question);
  answer.set_text(text);
}

inline v1::SubmitResponseRequest Submission(const std::string& request_id, const std::string& municipality = "Ede") {
  v1::SubmitResponseRequest request;
  request.set_parent(kWaveName);
  request.set_request_id(request_id);
  AddText(*request.mutable_response(), "Q1", "Jansen");
  AddText(*request.mutable_response(), "Q3", municipality);
  return request;
}

// What an import came to.
struct ImportOutcome {
  absl::Status status;
  std::vector<v1::ImportRow> rows;
  std::vector<v1::ImportProgress> progress;
  v1::ImportSummary summary;
};

// Imports a file in pieces. `lines_before_break`: the client is gone once this many rows were reported; 0: never.
inline ImportOutcome RunImport(Rooms& rooms, const std::string& file, v1::ImportHeader header = {}, size_t piece = 1 << 16,
                               size_t rows_before_break = 0) {
  if (header.parent().empty()) header.set_parent(kWaveName);
  ImportOutcome outcome;
  size_t at = 0;
  bool begun = false, gone = false;
  outcome.status = rooms.importer.Run({.read =
                                           [&](v1::ImportResponsesRequest& request) {
                                             request.Clear();
                                             if (!std::exchange(begun, true)) {
                                               *request.mutable_header() = header;
                                               return true;
                                             }
                                             if (gone || at >= file.size()) return false;
                                             request.set_content(file.substr(at, piece));
                                             at += piece;
                                             return true;
                                           },
                                       .write =
                                           [&](const v1::ImportResponsesResponse& report) {
                                             if (report.has_row()) outcome.rows.push_back(report.row());
                                             if (report.has_progress()) outcome.progress.push_back(report.progress());
                                             if (report.has_summary()) outcome.summary = report.summary();
                                             gone = gone || (rows_before_break > 0 && outcome.rows.size() >= rows_before_break);
                                             return !gone;
                                           },
                                       .cancelled = [&] { return gone; },
                                       .make_context = [] { return std::make_unique<grpc::ClientContext>(); }});
  return outcome;
}

// A file with rows 1 to n, of which each says another municipality.
inline std::string ExportOf(int rows, const std::string& name = "Jansen") {
  std::string file = std::string(kHeader) + "\r\n";
  for (int i = 1; i <= rows; ++i) {
    file += std::to_string(i) + ",2022-09-05 05:01:35,2022-09-05 05:18:35,,2,nl," + name + ",,Gemeente " + std::to_string(i) +
            ",wijk,,,Y,,,,,ja,,,\r\n";
  }
  return file;
}

}  // namespace peiling::intake
