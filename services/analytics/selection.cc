#include "services/analytics/selection.h"

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/common/survey/size_class.h"

namespace peiling::analytics {

namespace sv = survey::v1;
using absl::StatusCode;

absl::StatusOr<int> FindQuestion(const survey::CompiledQuestionnaire& questionnaire, const std::string& code) {
  const int question = questionnaire.Find(code);
  if (question == survey::kNoQuestion) {
    return status::Error(StatusCode::kNotFound, "QUESTION_NOT_FOUND",
                         absl::StrCat("question \"", code, "\" is not in questionnaire ", questionnaire.proto().version()),
                         {{"question", code}});
  }
  return question;
}

absl::StatusOr<OptionPlace> FindOption(const survey::CompiledQuestionnaire& questionnaire, const sv::OptionCount& option) {
  const auto question = FindQuestion(questionnaire, option.question());
  if (!question.ok()) return question.status();
  const auto& compiled = questionnaire.questions()[*question];
  const OptionPlace place{*question, option.row().empty() ? -1 : compiled.RowOf(option.row()), compiled.OptionOf(option.option())};
  const bool row_fits = (compiled.question->rows_size() > 0) == (place.row >= 0) && (place.row >= 0 || option.row().empty());
  if (place.option < 0 || !row_fits) {
    return status::Error(
        StatusCode::kNotFound, "OPTION_NOT_FOUND",
        absl::StrCat("question ", option.question(), " has no option \"", option.option(), "\"",
                     option.row().empty() && compiled.question->rows_size() == 0 ? "" : absl::StrCat(" in row \"", option.row(), "\"")),
        {{"question", option.question()}, {"row", option.row()}, {"option", option.option()}});
  }
  return place;
}

const Bitmap& Chosen(const WaveIndex& index, const OptionPlace& place) {
  return place.row < 0 ? index.Option(place.question, place.option) : index.Cell(place.question, place.row, place.option);
}

const Bitmap& Base(const WaveIndex& index, const OptionPlace& place) {
  return place.row < 0 ? index.State(place.question, sv::QUESTION_STATE_ANSWERED) : index.Row(place.question, place.row);
}

Counted CountOption(const WaveIndex& index, const OptionPlace& place, const Bitmap& among) {
  return {CountAnd(Chosen(index, place), among), CountAnd(Base(index, place), among)};
}

absl::StatusOr<int> FindStratumClass(const Frame& frame, const sv::StratumFilter& stratum) {
  int found = -1;
  switch (stratum.stratum_case()) {
    case sv::StratumFilter::kSizeClass:
      found = frame.FindClass(ClassKind::kSizeClass, survey::SizeClassCode(stratum.size_class()));
      break;
    case sv::StratumFilter::kProvince:
      found = frame.FindClass(ClassKind::kProvince, stratum.province());
      if (found < 0) {
        return status::Error(StatusCode::kNotFound, "PROVINCE_NOT_FOUND",
                             absl::StrCat("no municipality of the frame is in province \"", stratum.province(), "\""),
                             {{"province", stratum.province()}});
      }
      break;
    default:
      found = frame.FindClass(ClassKind::kGroup, stratum.group());
      if (found < 0) {
        return status::Error(StatusCode::kNotFound, "GROUP_NOT_FOUND",
                             absl::StrCat("no municipality of the frame is in group \"", stratum.group(), "\""),
                             {{"group", stratum.group()}});
      }
  }
  return found;
}

absl::StatusOr<const Bitmap*> FindOverlap(const Overlaps& overlaps, const std::string& wave) {
  const auto found = overlaps.find(wave);
  if (found == overlaps.end()) {
    return status::Error(StatusCode::kNotFound, "WAVE_NOT_FOUND", absl::StrCat("the survey has no wave \"", wave, "\""), {{"wave", wave}});
  }
  return &found->second;
}

absl::StatusOr<Bitmap> MunicipalitiesOf(const Frame& frame, const sv::StratumFilter& stratum, const Overlaps& overlaps) {
  Bitmap municipalities;
  if (stratum.stratum_case() == sv::StratumFilter::kTookPartIn) {
    const auto overlap = FindOverlap(overlaps, stratum.took_part_in());
    if (!overlap.ok()) return overlap.status();
    municipalities = **overlap;
  } else {
    const auto found = FindStratumClass(frame, stratum);
    if (!found.ok()) return found.status();
    // Nobody's size is unknown: then the class is not there, and is empty.
    if (*found >= 0) municipalities = frame.classes()[*found].municipalities;
  }
  if (!stratum.except()) return municipalities;
  Bitmap others = frame.all();
  return others.AndNot(municipalities);
}

absl::StatusOr<Bitmap> RecordsOf(const WaveIndex& index, const sv::StratumFilter& stratum, const Overlaps& overlaps) {
  Bitmap records;
  if (stratum.stratum_case() == sv::StratumFilter::kTookPartIn) {
    const auto overlap = FindOverlap(overlaps, stratum.took_part_in());
    if (!overlap.ok()) return overlap.status();
    records = index.Of(**overlap);
  } else {
    const auto found = FindStratumClass(index.frame(), stratum);
    if (!found.ok()) return found.status();
    if (*found >= 0) records = index.OfClass(*found);
  }
  if (!stratum.except()) return records;
  Bitmap others = index.All();
  return others.AndNot(records);
}

}  // namespace peiling::analytics
