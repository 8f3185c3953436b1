#include "services/intake/catalog.h"

#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/intake/apply_documents.h"
#include "services/intake/wave_changes.h"
#include "services/intake/wave_times.h"

namespace peiling::intake {
namespace {

// How often a lost race is run again before the caller is told.
constexpr int kAttempts = 10;

absl::Status NotFound(std::string_view reason, const std::string& name) {
  return status::Error(absl::StatusCode::kNotFound, reason, absl::StrCat("\"", name, "\" does not exist"), {{"name", name}});
}

template <typename Message>
absl::StatusOr<Message> ParseWithEtag(const storage::Document& document) {
  absl::StatusOr<Message> message = storage::Parse<Message>(document);
  if (message.ok()) message->set_etag(Etag(document.version));
  return message;
}

absl::StatusOr<v1::Wave> ReadWave(const storage::Document& document, absl::Time now) {
  absl::StatusOr<v1::Wave> wave = ParseWithEtag<v1::Wave>(document);
  if (wave.ok()) FillIn(*wave, now);
  return wave;
}

// The document under a key; NOT_FOUND with `reason` when there is none.
absl::StatusOr<storage::Document> Require(storage::Store& store, const std::string& key, std::string_view reason, const std::string& name) {
  auto document = store.Get(Catalog::kPartition, key);
  if (!document.ok()) return document.status();
  if (!document->has_value()) return NotFound(reason, name);
  return std::move(**document);
}

// A page of the documents under a prefix, whose next token is set when there are more.
absl::StatusOr<std::vector<storage::Document>> ListPage(storage::Store& store, const google::protobuf::Message& request,
                                                        const paging::Page& page, const std::string& prefix, std::string* next_page_token) {
  auto documents = store.List(Catalog::kPartition, prefix, page.after, page.size + 1);
  if (!documents.ok() || documents->size() <= static_cast<size_t>(page.size)) return documents;
  documents->pop_back();
  *next_page_token = paging::NextPageToken(request, documents->back().key);
  return documents;
}

bool SameQuestions(const WaveQuestions& left, const WaveQuestions& right) {
  return left.frame_date == right.frame_date && left.partitions == right.partitions &&
         left.questionnaire->fingerprint() == right.questionnaire->fingerprint();
}

absl::Status QuestionsChanged(const std::string& wave) {
  return status::Error(absl::StatusCode::kAborted, "CONCURRENT_CHANGE", "the questions of the wave changed meanwhile", {{"wave", wave}});
}

}  // namespace

std::string SurveyKey(const std::string& name) { return "survey/" + name; }
std::string WaveKey(const std::string& name) { return "wave/" + name; }
std::string QuestionnaireKey(const std::string& name) { return "questionnaire/" + name; }
std::string PublishedReportKey(const std::string& wave) { return "published/" + wave; }
std::string InUseKey(const std::string& wave) { return "in-use/" + wave; }

std::string Etag(uint64_t version) { return absl::StrCat("v", version); }

absl::Status WaveNotFound(const std::string& name) { return NotFound("WAVE_NOT_FOUND", name); }

template <typename Answer>
absl::StatusOr<Answer> Catalog::Change(const std::function<absl::StatusOr<Answer>()>& attempt) {
  absl::StatusOr<Answer> answer;
  (void)storage::RetryRaces([&] {
    answer = attempt();
    return answer.status();
  });
  if (!answer.ok()) {
    if (absl::Status confirmed = Confirm(); !confirmed.ok()) answer = confirmed;
  }
  const std::unique_lock lock(mutex_);
  recent_.clear();
  return answer;
}

absl::StatusOr<v1::ApplyDocumentsResponse> Catalog::Apply(const v1::ApplyDocumentsRequest& request, const std::string& caller) {
  return Change<v1::ApplyDocumentsResponse>([&] { return ApplyDocuments(store_, request, caller, clock_()); });
}

absl::StatusOr<v1::Wave> Catalog::Open(const v1::OpenWaveRequest& request, const std::string& caller) {
  return Change<v1::Wave>([&] { return OpenWave(store_, request, caller, clock_()); });
}

absl::StatusOr<v1::Wave> Catalog::Close(const v1::CloseWaveRequest& request, const std::string& caller) {
  return Change<v1::Wave>([&] { return CloseWave(store_, request, caller, clock_()); });
}

absl::StatusOr<v1::Wave> Catalog::Extend(const v1::ExtendWaveRequest& request, const std::string& caller) {
  return Change<v1::Wave>([&] { return ExtendWave(store_, request, caller, clock_()); });
}

absl::StatusOr<v1::ListWaveChangesResponse> Catalog::ListChanges(const v1::ListWaveChangesRequest& request, const paging::Page& page) {
  const auto wave = GetWave(request.parent());
  if (!wave.ok()) return wave.status();
  v1::ListWaveChangesResponse response;
  auto documents = ListPage(store_, request, page, WaveChangesPrefix(request.parent()), response.mutable_next_page_token());
  if (!documents.ok()) return documents.status();
  for (const storage::Document& document : *documents) {
    auto change = storage::Parse<v1::WaveChange>(document);
    if (!change.ok()) return change.status();
    // These do not change; a wave without them is none to readers of JSON.
    change->mutable_times()->set_frame_date(wave->frame_date());
    change->mutable_times()->set_groups_date(wave->groups_date());
    change->mutable_times()->set_opened(wave->opened());
    *response.add_changes() = *std::move(change);
  }
  return response;
}

absl::StatusOr<v1::Survey> Catalog::GetSurvey(const std::string& name) {
  auto document = Require(store_, SurveyKey(name), "SURVEY_NOT_FOUND", name);
  if (!document.ok()) return document.status();
  return ParseWithEtag<v1::Survey>(*document);
}

absl::StatusOr<v1::ListSurveysResponse> Catalog::ListSurveys(const v1::ListSurveysRequest& request, const paging::Page& page) {
  v1::ListSurveysResponse response;
  auto documents = ListPage(store_, request, page, SurveyKey(""), response.mutable_next_page_token());
  if (!documents.ok()) return documents.status();
  for (const storage::Document& document : *documents) {
    absl::StatusOr<v1::Survey> survey = ParseWithEtag<v1::Survey>(document);
    if (!survey.ok()) return survey.status();
    *response.add_surveys() = *std::move(survey);
  }
  return response;
}

absl::StatusOr<v1::Wave> Catalog::GetWave(const std::string& name) {
  auto document = Require(store_, WaveKey(name), "WAVE_NOT_FOUND", name);
  if (!document.ok()) return document.status();
  return ReadWave(*document, clock_());
}

absl::StatusOr<std::shared_ptr<const v1::Wave>> Catalog::RecentWave(const std::string& name) {
  const absl::Time now = clock_();
  {
    const std::shared_lock lock(mutex_);
    const auto found = recent_.find(name);
    // A clock that was put back makes none older than it is.
    if (found != recent_.end() && now >= found->second.read_at && now - found->second.read_at < absl::Seconds(1)) return found->second.wave;
  }
  absl::StatusOr<v1::Wave> wave = GetWave(name);
  if (!wave.ok()) return wave.status();
  auto shared = std::make_shared<const v1::Wave>(*std::move(wave));
  const std::unique_lock lock(mutex_);
  recent_[name] = {.wave = shared, .read_at = now};
  return shared;
}

absl::StatusOr<v1::ListWavesResponse> Catalog::ListWaves(const v1::ListWavesRequest& request, const paging::Page& page) {
  const bool all = request.parent() == "surveys/-";
  if (!all) {
    if (auto survey = GetSurvey(request.parent()); !survey.ok()) return survey.status();
  }
  v1::ListWavesResponse response;
  const std::string prefix = WaveKey(all ? "" : absl::StrCat(request.parent(), "/waves/"));
  auto documents = ListPage(store_, request, page, prefix, response.mutable_next_page_token());
  if (!documents.ok()) return documents.status();
  const absl::Time now = clock_();
  for (const storage::Document& document : *documents) {
    absl::StatusOr<v1::Wave> wave = ReadWave(document, now);
    if (!wave.ok()) return wave.status();
    *response.add_waves() = *std::move(wave);
  }
  return response;
}

absl::StatusOr<v1::GetQuestionnaireResponse> Catalog::GetQuestionnaire(const std::string& name) {
  auto document = Require(store_, QuestionnaireKey(name), "QUESTIONNAIRE_NOT_FOUND", name);
  if (!document.ok()) return document.status();
  auto questionnaire = storage::Parse<survey::v1::Questionnaire>(*document);
  if (!questionnaire.ok()) return questionnaire.status();
  v1::GetQuestionnaireResponse response;
  response.set_name(name);
  response.set_fingerprint(survey::Fingerprint(*questionnaire));
  *response.mutable_questionnaire() = *std::move(questionnaire);
  return response;
}

absl::StatusOr<v1::GetPublishedReportResponse> Catalog::GetPublishedReport(const std::string& wave) {
  if (auto found = GetWave(wave); !found.ok()) return found.status();
  auto document = Require(store_, PublishedReportKey(wave), "PUBLISHED_REPORT_NOT_FOUND", wave);
  if (!document.ok()) return document.status();
  auto report = storage::Parse<survey::v1::PublishedReport>(*document);
  if (!report.ok()) return report.status();
  v1::GetPublishedReportResponse response;
  *response.mutable_report() = *std::move(report);
  return response;
}

std::shared_ptr<const WaveQuestions> Catalog::FindInUse(const std::string& wave) {
  const std::shared_lock lock(mutex_);
  const auto found = in_use_.find(wave);
  return found == in_use_.end() ? nullptr : found->second;
}

absl::StatusOr<std::shared_ptr<const WaveQuestions>> Catalog::LoadQuestions(const std::string& name) {
  auto wave_document = Require(store_, WaveKey(name), "WAVE_NOT_FOUND", name);
  if (!wave_document.ok()) return wave_document.status();
  auto wave = storage::Parse<v1::Wave>(*wave_document);
  if (!wave.ok()) return wave.status();
  auto document = Require(store_, QuestionnaireKey(wave->questionnaire()), "QUESTIONNAIRE_NOT_FOUND", wave->questionnaire());
  if (!document.ok()) return document.status();
  auto questionnaire = storage::Parse<survey::v1::Questionnaire>(*document);
  if (!questionnaire.ok()) return questionnaire.status();
  auto compiled = survey::CompiledQuestionnaire::Compile(*std::move(questionnaire));
  if (!compiled.ok()) return compiled.status();
  return std::make_shared<const WaveQuestions>(WaveQuestions{.wave = name,
                                                             .frame_date = wave->frame_date(),
                                                             .partitions = wave->partitions(),
                                                             .questionnaire = *std::move(compiled),
                                                             .questionnaire_name = wave->questionnaire(),
                                                             .wave_version = wave_document->version,
                                                             .questionnaire_version = document->version});
}

absl::StatusOr<std::shared_ptr<const WaveQuestions>> Catalog::Questions(const std::string& wave) {
  if (std::shared_ptr<const WaveQuestions> found = FindInUse(wave)) return found;
  return LoadQuestions(wave);
}

absl::StatusOr<int> Catalog::Partitions(const std::string& wave) {
  if (const auto found = FindInUse(wave)) return found->partitions;
  absl::StatusOr<v1::Wave> read = GetWave(wave);
  if (!read.ok()) return read.status();
  return read->partitions();
}

int Catalog::KnownPartitions(const std::string& wave) {
  const auto found = FindInUse(wave);
  return found == nullptr ? 1 : found->partitions;
}

absl::Status Catalog::Use(const WaveQuestions& questions) {
  if (std::shared_ptr<const WaveQuestions> found = FindInUse(questions.wave)) {
    return SameQuestions(*found, questions) ? absl::OkStatus() : QuestionsChanged(questions.wave);
  }
  for (int attempt = 1; attempt <= kAttempts; ++attempt) {
    absl::StatusOr<std::shared_ptr<const WaveQuestions>> current = LoadQuestions(questions.wave);
    if (!current.ok()) return current.status();
    if (!SameQuestions(**current, questions)) break;
    storage::Batch batch{.partition = kPartition};
    batch.writes.push_back({.key = InUseKey(questions.wave), .value = ""});
    batch.expectations = {{WaveKey(questions.wave), (*current)->wave_version},
                          {QuestionnaireKey((*current)->questionnaire_name), (*current)->questionnaire_version}};
    const absl::Status committed = store_.Commit(std::move(batch)).status();
    if (absl::IsAborted(committed)) {
      storage::PauseAfterRace(attempt);
      continue;
    }
    if (!committed.ok()) return committed;
    const std::unique_lock lock(mutex_);
    in_use_[questions.wave] = *std::move(current);
    return absl::OkStatus();
  }
  return QuestionsChanged(questions.wave);
}

}  // namespace peiling::intake
