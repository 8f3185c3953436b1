// The catalogue: surveys, waves, questionnaires and published reports. It has a partition of the store to itself, whose feed tells of
// waves.
//
// The questions, the frame date and the partitions of a wave are free to change until it takes in its first response; from then on they
// are fixed for ever.
// That moment is itself a document of the catalogue (Use), so that a change of questions and a first response cannot pass each other by.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/calendar/amsterdam.h"
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
  explicit Catalog(storage::Store& store, calendar::Clock clock = absl::Now) : store_(store), clock_(std::move(clock)) {}

  // To be called before somebody is refused on the strength of what was read.
  absl::Status Confirm() { return store_.Confirm(kPartition); }

  // What time it is for all that has to do with waves.
  absl::Time now() const { return clock_(); }

  // As the RPCs. `caller` is the subject of who asks, "" for a service by itself.
  // DOCUMENT_INVALID, QUESTIONNAIRE_IN_USE, ERASES_PERSONAL_DATA, REQUEST_ID_REUSED, CONCURRENT_CHANGE.
  absl::StatusOr<v1::ApplyDocumentsResponse> Apply(const v1::ApplyDocumentsRequest& request, const std::string& caller = "");
  // WAVE_NOT_FOUND, WAVE_UNSCHEDULED, WAVE_OPEN, WAVE_CLOSED, PERSONAL_DATA_ERASED, ETAG_MISMATCH, INVALID_REQUEST, REQUEST_ID_REUSED,
  // CONCURRENT_CHANGE. Waves come as GetWave gives them.
  absl::StatusOr<v1::Wave> Open(const v1::OpenWaveRequest& request, const std::string& caller);
  absl::StatusOr<v1::Wave> Close(const v1::CloseWaveRequest& request, const std::string& caller);
  absl::StatusOr<v1::Wave> Extend(const v1::ExtendWaveRequest& request, const std::string& caller);
  // NOT_FOUND/WAVE_NOT_FOUND.
  absl::StatusOr<v1::ListWaveChangesResponse> ListChanges(const v1::ListWaveChangesRequest& request, const paging::Page& page);

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

  // The same, from memory when that is less than a second old: for what must not go by times that were changed before, on whatever replica.
  absl::StatusOr<std::shared_ptr<const v1::Wave>> RecentWave(const std::string& name);

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
  // Runs one try until it is no lost race; then waves are read anew. What it is refused for is durable.
  template <typename Answer>
  absl::StatusOr<Answer> Change(const std::function<absl::StatusOr<Answer>()>& attempt);

  // A wave, and when it began to be read.
  struct Recent {
    std::shared_ptr<const v1::Wave> wave;
    absl::Time read_at;
  };

  storage::Store& store_;
  const calendar::Clock clock_;
  std::shared_mutex mutex_;
  // By wave, once it is durable that the wave is in use. Nothing in it can change any more, whoever writes to the store.
  absl::flat_hash_map<std::string, std::shared_ptr<const WaveQuestions>> in_use_;
  // By wave.
  absl::flat_hash_map<std::string, Recent> recent_;
};

// Where the catalogue keeps a resource.
std::string SurveyKey(const std::string& name);
std::string WaveKey(const std::string& name);
std::string QuestionnaireKey(const std::string& name);
std::string PublishedReportKey(const std::string& wave);
// There once the wave has taken in a response.
std::string InUseKey(const std::string& wave);

// NOT_FOUND/WAVE_NOT_FOUND.
absl::Status WaveNotFound(const std::string& name);
// The etag of a document in this version.
std::string Etag(uint64_t version);

}  // namespace peiling::intake
