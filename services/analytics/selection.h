// Finding what a request names in a wave: questions, options, strata.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/survey/v1/published.pb.h"
#include "services/analytics/bitmap.h"
#include "services/analytics/figure.h"
#include "services/analytics/frame.h"
#include "services/analytics/wave_index.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::analytics {

// For each earlier wave a request names ("2019"): the municipalities of the frame that took part in it.
using Overlaps = std::map<std::string, Bitmap>;

// Where an option stands in a questionnaire.
struct OptionPlace {
  int question = 0;
  // Of a matrix; else -1.
  int row = -1;
  int option = 0;
};

// NOT_FOUND/QUESTION_NOT_FOUND.
absl::StatusOr<int> FindQuestion(const survey::CompiledQuestionnaire& questionnaire, const std::string& code);
// NOT_FOUND/QUESTION_NOT_FOUND or OPTION_NOT_FOUND (metadata: question, row, option): also for a row the question does not have.
absl::StatusOr<OptionPlace> FindOption(const survey::CompiledQuestionnaire& questionnaire, const survey::v1::OptionCount& option);

// The records that chose an option, and those with an answer to its question (of a matrix: its row).
const Bitmap& Chosen(const WaveIndex& index, const OptionPlace& place);
const Bitmap& Base(const WaveIndex& index, const OptionPlace& place);
// Both among some records.
Counted CountOption(const WaveIndex& index, const OptionPlace& place, const Bitmap& among);

// The municipalities, and the records, of a stratum. NOT_FOUND/PROVINCE_NOT_FOUND, NOT_FOUND/GROUP_NOT_FOUND; NOT_FOUND/WAVE_NOT_FOUND when
// `overlaps` lacks the earlier wave.
absl::StatusOr<Bitmap> MunicipalitiesOf(const Frame& frame, const survey::v1::StratumFilter& stratum, const Overlaps& overlaps);
absl::StatusOr<Bitmap> RecordsOf(const WaveIndex& index, const survey::v1::StratumFilter& stratum, const Overlaps& overlaps);

// Position of a stratum's class in Frame::classes(); not for took_part_in.
absl::StatusOr<int> FindStratumClass(const Frame& frame, const survey::v1::StratumFilter& stratum);
// NOT_FOUND/WAVE_NOT_FOUND when `overlaps` lacks the earlier wave.
absl::StatusOr<const Bitmap*> FindOverlap(const Overlaps& overlaps, const std::string& wave);

}  // namespace peiling::analytics
