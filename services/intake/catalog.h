// The catalogue: surveys, waves, questionnaires and published reports. It has a partition of the store to itself, whose feed tells of
// waves.
//
// The questions, the frame date and the partitions of a wave are free to change until it takes in its first response; from then on they
// are fixed for ever.
// That moment is itself a document of the catalogue (Use), so that a change of questions and a first response cannot pass each other by.
#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::intake {

// What a response needs to know of its wave.
struct WaveQuestions {
  // "surveys/s/waves/w".
  std::string wave;
  std::string frame_date;
  // Over how many its responses are spread, at least 1.
  int partitions = 1;
  std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire;
  // What it was read from.
  std::string questionnaire_name;
  uint64_t wave_version = 0;
  uint64_t questionnaire_version = 0;
};

// Thread-safe. Errors of the store come beside those named.
class Catalog {
 public:
  // The partition, whose feed holds serialised WaveEvents.
  static constexpr char kPartition[] = "catalog";

  // `store` must outlive the catalogue.
  explicit Catalog(storage::Store& store) : store_(store) {}

  // As the RPC: DOCUMENT_INVALID, QUESTIONNAIRE_IN_USE, REQUEST_ID_REUSED, CONCURRENT_CHANGE.
  absl::StatusOr<v1::ApplyDocumentsResponse> Apply(const v1::ApplyDocumentsRequest& request);

  // NOT_FOUND/SURVEY_NOT_FOUND.
  absl::StatusOr<v1::Survey> GetSurvey(const std::string& name);
  absl::StatusOr<v1::ListSurveysResponse> ListSurveys(const v1::ListSurveysRequest& request, const paging::Page& page);
  // Without response_count and last_sequence, which the responses know. NOT_FOUND/WAVE_NOT_FOUND.
  absl::StatusOr<v1::Wave> GetWave(const std::string& name);
  // The same; NOT_FOUND/SURVEY_NOT_FOUND.
  absl::StatusOr<v1::ListWavesResponse> ListWaves(const v1::ListWavesRequest& request, const paging::Page& page);
  // NOT_FOUND/QUESTIONNAIRE_NOT_FOUND.
  absl::StatusOr<v1::GetQuestionnaireResponse> GetQuestionnaire(const std::string& name);
  // NOT_FOUND/WAVE_NOT_FOUND or PUBLISHED_REPORT_NOT_FOUND.
  absl::StatusOr<v1::GetPublishedReportResponse> GetPublishedReport(const std::string& wave);

  // The questions of a wave, ready for work; from memory once the wave is in use. NOT_FOUND/WAVE_NOT_FOUND.
  absl::StatusOr<std::shared_ptr<const WaveQuestions>> Questions(const std::string& wave);

  // Over how many partitions the responses of a wave are spread; from memory once the wave is in use. NOT_FOUND/WAVE_NOT_FOUND.
  absl::StatusOr<int> Partitions(const std::string& wave);
  // The same without asking the store: 1 when it would have to be asked.
  int KnownPartitions(const std::string& wave);

  // To be called before responses to these questions are stored: fixes them for ever. Costs nothing from the second time on.
  // ABORTED/CONCURRENT_CHANGE when the wave has other questions by now.
  absl::Status Use(const WaveQuestions& questions);

 private:
  std::shared_ptr<const WaveQuestions> FindInUse(const std::string& wave);
  absl::StatusOr<std::shared_ptr<const WaveQuestions>> LoadQuestions(const std::string& wave);

  storage::Store& store_;
  std::shared_mutex mutex_;
  // By wave, once it is durable that the wave is in use. Nothing in it can change any more, whoever writes to the store.
  absl::flat_hash_map<std::string, std::shared_ptr<const WaveQuestions>> in_use_;
};

// Where the catalogue keeps a resource.
std::string SurveyKey(const std::string& name);
std::string WaveKey(const std::string& name);
std::string QuestionnaireKey(const std::string& name);
std::string PublishedReportKey(const std::string& wave);
// There once the wave has taken in a response.
std::string InUseKey(const std::string& wave);

// The etag of a document in this version.
std::string Etag(uint64_t version);

}  // namespace peiling::intake
