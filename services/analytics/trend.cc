#include "services/analytics/trend.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/analytics/selection.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace sv = survey::v1;

namespace {

struct Comparison {
  sv::ComparabilityStatus status = sv::COMPARABILITY_STATUS_SAME;
  std::string reason;
};

bool SameOption(const sv::OptionCount& a, const sv::OptionCount& b) {
  return a.question() == b.question() && a.row() == b.row() && a.option() == b.option();
}

// What reports print about an option, by wave.
std::map<std::string, sv::PublishedPoint> PrintedPoints(const std::vector<TrendWave>& waves, const sv::OptionCount& option) {
  std::map<std::string, sv::PublishedPoint> printed;
  for (const auto& wave : waves) {
    if (!wave.definition->report) continue;
    for (const auto& figure : wave.definition->report->figures()) {
      const auto& measure = figure.measure();
      const bool of_everybody = !measure.has_base() && measure.strata().empty() && measure.count_strata().empty();
      if (!of_everybody || !figure.has_percent() || !SameOption(measure.count().option(), option)) continue;
      auto& point = printed[names::LastId(wave.definition->wave.name())];
      point.set_percent(figure.percent());
      if (figure.has_base()) point.set_base(figure.base());
      point.set_slip(figure.slip());
    }
    for (const auto& trend : wave.definition->report->trends()) {
      if (!SameOption(trend.option(), option)) continue;
      for (const auto& point : trend.points()) printed.emplace(point.wave(), point);
    }
  }
  return printed;
}

std::string NameOf(const std::vector<TrendWave>& waves, const sv::OptionCount& option) {
  for (const auto& wave : waves) {
    if (!wave.definition->report) continue;
    for (const auto& trend : wave.definition->report->trends()) {
      if (SameOption(trend.option(), option)) return trend.id();
    }
  }
  return "";
}

template <typename Stated>
const sv::Comparability* StatementOn(const Stated& stated, const std::string& wave) {
  for (const auto& statement : stated.comparability()) {
    if (statement.wave() == wave && statement.status() != sv::COMPARABILITY_STATUS_UNSPECIFIED) return &statement;
  }
  return nullptr;
}

// What a wave's questionnaire states on an earlier wave; null when it states nothing.
const sv::Comparability* Statement(const WaveDefinition& newer, const sv::OptionCount& option, const std::string& older) {
  const auto place = FindOption(*newer.questionnaire, option);
  if (!place.ok()) return nullptr;
  const auto& question = *newer.questionnaire->questions()[place->question].question;
  const auto* on_option = StatementOn(question.options(place->option), older);
  return on_option != nullptr ? on_option : StatementOn(question, older);
}

// Judges from the texts of two questionnaires.
Comparison CompareTexts(const WaveDefinition& base, const WaveDefinition& other, const sv::OptionCount& option) {
  const std::string wave = names::LastId(other.wave.name());
  const int other_question = other.questionnaire->Find(option.question());
  if (other_question == survey::kNoQuestion) {
    return {sv::COMPARABILITY_STATUS_BROKEN, absl::StrCat("Deze vraag is in ", wave, " niet gesteld.")};
  }
  const auto there = FindOption(*other.questionnaire, option);
  if (!there.ok()) {
    return {sv::COMPARABILITY_STATUS_BROKEN, absl::StrCat("Dit antwoord kon men in ", wave, " bij deze vraag niet geven.")};
  }
  const auto here = FindOption(*base.questionnaire, option);
  const auto& old_question = *other.questionnaire->questions()[there->question].question;
  const auto& new_question = *base.questionnaire->questions()[here->question].question;
  if (old_question.title() != new_question.title()) {
    return {sv::COMPARABILITY_STATUS_COMPARABLE, absl::StrCat("De vraag luidde in ", wave, ": \"", old_question.title(), "\"")};
  }
  if (here->row >= 0 && old_question.rows(there->row).label() != new_question.rows(here->row).label()) {
    return {sv::COMPARABILITY_STATUS_COMPARABLE,
            absl::StrCat("De regel luidde in ", wave, ": \"", old_question.rows(there->row).label(), "\"")};
  }
  if (old_question.options(there->option).label() != new_question.options(here->option).label()) {
    return {sv::COMPARABILITY_STATUS_COMPARABLE,
            absl::StrCat("Het antwoord luidde in ", wave, ": \"", old_question.options(there->option).label(), "\"")};
  }
  return {};
}

// A wave is as old as its first day of fieldwork; one known from print alone as its id, a year.
std::string Age(const WaveDefinition* definition, const std::string& id) {
  return definition != nullptr && !definition->wave.opened().empty() ? definition->wave.opened() : id;
}

class TrendMaker {
 public:
  TrendMaker(const sv::OptionCount& option, const WaveDefinition& base) : option_(option), base_(base) {}

  Comparison Compare(const WaveDefinition* other, const std::string& id) const {
    if (other == &base_) return {};
    const std::string base_id = names::LastId(base_.wave.name());
    const bool base_is_newer = Age(&base_, base_id) >= Age(other, id);
    const auto* statement = base_is_newer ? Statement(base_, option_, id) : Statement(*other, option_, base_id);
    if (statement != nullptr) return {statement->status(), statement->reason()};
    if (other == nullptr) {
      return {sv::COMPARABILITY_STATUS_COMPARABLE, absl::StrCat("Van ", id, " zijn alleen gepubliceerde percentages bekend.")};
    }
    return CompareTexts(base_, *other, option_);
  }

  // `wave` and `printed` may be null, not both.
  v1::TrendPoint Point(const std::string& id, const TrendWave* wave, const sv::PublishedPoint* printed) const {
    v1::TrendPoint point;
    point.set_wave(id);
    const Comparison comparison = Compare(wave == nullptr ? nullptr : wave->definition.get(), id);
    point.set_comparability(comparison.status);
    point.set_comparability_reason(comparison.reason);
    if (comparison.status == sv::COMPARABILITY_STATUS_BROKEN) return point;
    if (printed != nullptr) {
      point.set_published_percent(printed->percent());
      point.set_published_slip(printed->slip());
    }
    if (wave != nullptr && wave->counted && (wave->records > 0 || printed == nullptr)) {
      point.set_source(v1::FIGURE_SOURCE_RECORDS);
      point.set_k(wave->counted->k);
      point.set_n(wave->counted->n);
      if (const auto percent = Percent(*wave->counted)) point.set_percent(*percent);
      *point.mutable_position() = wave->position;
    } else if (printed != nullptr) {
      point.set_source(v1::FIGURE_SOURCE_PUBLISHED);
      point.set_percent(printed->percent());
      if (printed->has_base()) point.set_n(printed->base());
    }
    return point;
  }

 private:
  const sv::OptionCount& option_;
  const WaveDefinition& base_;
};

}  // namespace

absl::StatusOr<v1::Trend> DrawTrend(std::vector<TrendWave> waves, const sv::OptionCount& option, const std::string& base_wave) {
  const auto age = [](const TrendWave& wave) { return Age(wave.definition.get(), names::LastId(wave.definition->wave.name())); };
  std::stable_sort(waves.begin(), waves.end(), [&](const auto& a, const auto& b) { return age(a) < age(b); });
  const auto base = base_wave.empty() ? (waves.empty() ? waves.end() : waves.end() - 1)
                                      : std::find_if(waves.begin(), waves.end(), [&](const TrendWave& wave) {
                                          return names::LastId(wave.definition->wave.name()) == base_wave;
                                        });
  if (base == waves.end()) {
    return status::Error(absl::StatusCode::kNotFound, "WAVE_NOT_FOUND", absl::StrCat("the survey has no wave \"", base_wave, "\""),
                         {{"wave", base_wave}});
  }
  const WaveDefinition& definition = *base->definition;
  const auto place = FindOption(*definition.questionnaire, option);
  if (!place.ok()) return place.status();
  const auto& question = *definition.questionnaire->questions()[place->question].question;

  v1::Trend trend;
  trend.set_id(NameOf(waves, option));
  *trend.mutable_option() = option;
  trend.set_question_title(question.title());
  trend.set_option_label(question.options(place->option).label());

  // By age; the id keeps waves of one day apart.
  std::map<std::pair<std::string, std::string>, const TrendWave*> points;
  const auto printed = PrintedPoints(waves, option);
  std::set<std::string> notices;
  for (const auto& wave : waves) {
    points[{age(wave), names::LastId(wave.definition->wave.name())}] = &wave;
  }
  for (const auto& [id, point] : printed) {
    const auto known = [&id = id](const auto& entry) { return entry.first.second == id; };
    if (std::none_of(points.begin(), points.end(), known)) points[{id, id}] = nullptr;
  }
  const TrendMaker maker(option, definition);
  for (const auto& [key, wave] : points) {
    const auto& id = key.second;
    const auto in_print = printed.find(id);
    *trend.add_points() = maker.Point(id, wave, in_print == printed.end() ? nullptr : &in_print->second);
    const auto& added = trend.points(trend.points_size() - 1);
    if (added.source() != v1::FIGURE_SOURCE_RECORDS) continue;
    const std::string& notice = wave->definition->wave.synthetic_notice();
    if (!notice.empty() && notices.insert(notice).second) trend.add_notices(notice);
  }
  return trend;
}

}  // namespace peiling::analytics
