#include "services/common/survey/documents.h"

#include <utility>

#include "services/common/names/partitions.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "services/common/survey/read_mailing.h"
#include "services/common/survey/read_published.h"
#include "services/common/survey/read_questionnaire.h"
#include "services/common/survey/read_times.h"
#include "services/common/yaml/reader.h"
#include "services/common/yaml/tree.h"

namespace peiling::survey {
namespace {

using yaml::Need;

enum class DocumentKind { kNone, kSurvey, kWave, kPublished };
const yaml::Words<DocumentKind> kKinds = {
    {"survey", DocumentKind::kSurvey}, {"wave", DocumentKind::kWave}, {"published", DocumentKind::kPublished}};

SurveyDocument ReadSurvey(yaml::Map& map) {
  SurveyDocument document;
  document.survey.set_name(absl::StrCat("surveys/", map.Id("survey", Need::kRequired)));
  document.survey.set_title(map.Text("title", Need::kRequired));
  document.survey.set_description(map.Text("description"));
  return document;
}

int ReadPartitions(yaml::Map& map) {
  const int64_t partitions = map.Integer("partitions").value_or(1);
  if (partitions >= 1 && partitions <= names::kMaxPartitions) return static_cast<int>(partitions);
  map.document().Fail(map.Find("partitions")->place, partitions, ", want 1 to ", names::kMaxPartitions);
  return 1;
}

WaveDocument ReadWave(yaml::Map& map) {
  WaveDocument document;
  intake::v1::Wave& wave = document.wave;
  const std::string survey = absl::StrCat("surveys/", map.Id("survey", Need::kRequired));
  const std::string id = map.Id("wave", Need::kRequired);
  wave.set_name(absl::StrCat(survey, "/waves/", id));
  wave.set_title(map.Text("title", Need::kRequired));
  wave.set_frame_date(map.Date("frame_date", Need::kRequired));
  wave.set_groups_date(map.Date("groups_date"));
  ReadTimes(map, wave);
  wave.set_synthetic_notice(map.Text("synthetic_notice"));
  wave.set_partitions(ReadPartitions(map));
  ReadMailing(map, wave);

  const std::string named = map.Id("questionnaire");
  const std::string version = named.empty() ? id : named;
  wave.set_questionnaire(absl::StrCat(survey, "/questionnaires/", version));
  // A wave that names its questionnaire may leave its questions out: they are there already.
  if (named.empty() || map.Find("sections") != nullptr) {
    document.questionnaire = ReadQuestionnaire(map, version);
    wave.set_questionnaire_fingerprint(Fingerprint(*document.questionnaire));
  }
  return document;
}

PublishedDocument ReadPublished(yaml::Map& map) {
  PublishedDocument document;
  const std::string survey = map.Id("survey", Need::kRequired);
  document.wave = absl::StrCat("surveys/", survey, "/waves/", map.Id("wave", Need::kRequired));
  document.report = ReadPublishedReport(map);
  return document;
}

}  // namespace

std::optional<ParsedDocument> ParseDocument(std::string_view filename, std::string_view text, status::BadRequest& bad) {
  yaml::Document document(filename, bad);
  const auto parsed = yaml::Parse(text);
  if (const auto* problem = std::get_if<yaml::Problem>(&parsed)) {
    document.Fail(problem->place, problem->message);
    return std::nullopt;
  }
  yaml::Map map(*std::get<yaml::NodePtr>(parsed), "", document);
  std::optional<ParsedDocument> result;
  switch (map.Word("kind", kKinds, Need::kRequired)) {
    case DocumentKind::kSurvey:
      result = ReadSurvey(map);
      break;
    case DocumentKind::kWave:
      result = ReadWave(map);
      break;
    case DocumentKind::kPublished:
      result = ReadPublished(map);
      break;
    case DocumentKind::kNone:
      return std::nullopt;
  }
  map.Finish();
  return document.ok() ? std::move(result) : std::nullopt;
}

}  // namespace peiling::survey
