// Surveys, waves, questionnaires and published reports as YAML. The format is described in services/common/survey/README.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/survey/v1/published.pb.h"
#include "peiling/survey/v1/questionnaire.pb.h"
#include "services/common/status/errors.h"

namespace peiling::survey {

// `kind: survey`
struct SurveyDocument {
  intake::v1::Survey survey;
};
// `kind: wave`: the wave, and its questions unless it names a questionnaire that is there already.
struct WaveDocument {
  intake::v1::Wave wave;
  std::optional<v1::Questionnaire> questionnaire;
};
// `kind: published`
struct PublishedDocument {
  // "surveys/…/waves/…".
  std::string wave;
  v1::PublishedReport report;
};

using ParsedDocument = std::variant<SurveyDocument, WaveDocument, PublishedDocument>;

// Reads one YAML document. Every problem is added to `bad` with field "filename:line:column": broken YAML, an unknown or missing key, a
// value of the wrong kind, a code twice, and what CheckQuestionnaire finds, at the line where it stands. nullopt when there was one. At
// most 2 MiB, 100 levels deep, no more than 1,000 uses of aliases; never throws.
std::optional<ParsedDocument> ParseDocument(std::string_view filename, std::string_view text, status::BadRequest& bad);

}  // namespace peiling::survey
