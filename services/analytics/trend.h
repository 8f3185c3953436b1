// One option over the waves of a survey, and what may be set beside what.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/survey/v1/feed.pb.h"
#include "peiling/survey/v1/published.pb.h"
#include "services/analytics/figure.h"
#include "services/analytics/wave_definition.h"

namespace peiling::analytics {

// One wave of the survey, counted.
struct TrendWave {
  std::shared_ptr<const WaveDefinition> definition;
  // Records in the wave, whatever they answered.
  int64_t records = 0;
  // The option among them; nullopt when the wave's questionnaire does not have it.
  std::optional<Counted> counted;
  survey::v1::FeedPosition position;
};

// Draws the trend. Waves that only a published report knows join by its printed points. A point that may not be compared with the base wave
// (its id, "2022"; empty: the latest) is there with the reason and without a figure. What a questionnaire states on an earlier wave, on the
// option or else the question, decides; without a statement the texts do. NOT_FOUND/WAVE_NOT_FOUND for the base wave;
// NOT_FOUND/QUESTION_NOT_FOUND or OPTION_NOT_FOUND when it does not have the option.
absl::StatusOr<v1::Trend> DrawTrend(std::vector<TrendWave> waves, const survey::v1::OptionCount& option, const std::string& base_wave);

}  // namespace peiling::analytics
