#include "tests/dedup/fixture.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace peiling::dedup {
namespace {

using survey::v1::Questionnaire;

survey::v1::Question& AddQuestion(Questionnaire& questionnaire, const char* code, survey::v1::QuestionType type,
                                  const std::vector<std::string>& options = {}) {
  survey::v1::Question& question = *questionnaire.mutable_sections(0)->add_questions();
  question.set_code(code);
  question.set_title(code);
  question.set_type(type);
  for (const std::string& option : options) {
    auto& added = *question.add_options();
    added.set_code(option);
    added.set_label(option);
  }
  return question;
}

Questionnaire TestQuestionnaire() {
  Questionnaire questionnaire;
  questionnaire.set_version("w");
  questionnaire.set_language("nl");
  questionnaire.add_sections()->set_title("Alles");
  auto& name = AddQuestion(questionnaire, "Name", survey::v1::QUESTION_TYPE_TEXT);
  name.set_personal(true);
  name.set_role(survey::v1::QUESTION_ROLE_RESPONDENT);
  AddQuestion(questionnaire, "Where", survey::v1::QUESTION_TYPE_TEXT).set_role(survey::v1::QUESTION_ROLE_MUNICIPALITY);
  AddQuestion(questionnaire, "Single", survey::v1::QUESTION_TYPE_SINGLE, {"ja", "nee"});
  AddQuestion(questionnaire, "Several", survey::v1::QUESTION_TYPE_MULTIPLE, {"a", "b", "c"});
  AddQuestion(questionnaire, "IfYes", survey::v1::QUESTION_TYPE_SINGLE, {"x", "y"}).set_ask("Single == ja");
  auto& matrix = AddQuestion(questionnaire, "Matrix", survey::v1::QUESTION_TYPE_MATRIX, {"vaak", "nooit"});
  for (const char* row : {"r1", "r2"}) {
    matrix.add_rows()->set_code(row);
    matrix.mutable_rows()->rbegin()->set_label(row);
  }
  AddQuestion(questionnaire, "Open", survey::v1::QUESTION_TYPE_TEXT);
  auto& secret = AddQuestion(questionnaire, "Secret", survey::v1::QUESTION_TYPE_SINGLE, {"p", "q"});
  secret.set_personal(true);
  auto& consent = AddQuestion(questionnaire, "Consent", survey::v1::QUESTION_TYPE_SINGLE, {"ja", "nee"});
  consent.set_role(survey::v1::QUESTION_ROLE_CONSENT_PUBLIC_DATA);
  consent.mutable_options(0)->set_consents(true);
  return questionnaire;
}

v1::Ruling RulingOn(const std::string& id) {
  v1::Ruling ruling;
  ruling.set_response(ResponseName(id));
  ruling.set_reason("nagevraagd");
  ruling.set_ruled_by("onderzoeker");
  return ruling;
}

}  // namespace

WaveSource TestSource() {
  WaveSource source;
  source.wave.set_name(kWave);
  source.wave.set_questionnaire("surveys/s/questionnaires/w");
  source.wave.set_frame_date("2022-03-24");
  source.questionnaire.set_name("surveys/s/questionnaires/w");
  *source.questionnaire.mutable_questionnaire() = TestQuestionnaire();
  for (const char* title : {"Aa", "Bee", "Cee", "Dee", "Ee", "Eff", "Gee", "Haa", "Ie"}) {
    auto& municipality = *source.frame.add_municipalities();
    municipality.set_code(absl::StrCat("GM000", source.frame.municipalities_size()));
    municipality.set_title(title);
  }
  return source;
}

std::shared_ptr<const WaveSetup> TestSetup() {
  static const auto setup = WaveSetup::Make(TestSource());
  if (!setup.ok()) std::abort();
  return *setup;
}

registry::v1::Resolution TestResolution(const std::string& text) {
  registry::v1::Resolution resolution;
  resolution.set_text(text);
  resolution.set_kind(registry::v1::RESOLUTION_KIND_UNKNOWN);
  const auto set = [&](registry::v1::ResolutionKind kind, const std::vector<std::string>& codes) {
    resolution.set_kind(kind);
    resolution.mutable_codes()->Assign(codes.begin(), codes.end());
  };
  if (text.find('+') != std::string::npos) {
    set(registry::v1::RESOLUTION_KIND_SEVERAL, absl::StrSplit(text, '+'));
  } else if (text.find('?') != std::string::npos) {
    const std::vector<std::string> candidates = absl::StrSplit(text, '?');
    resolution.set_kind(registry::v1::RESOLUTION_KIND_AMBIGUOUS);
    resolution.mutable_candidates()->Assign(candidates.begin(), candidates.end());
  } else if (text.starts_with("-GM")) {
    set(registry::v1::RESOLUTION_KIND_FORMER, {text.substr(1)});
    resolution.add_titles("Oudstad");
    resolution.add_successors("GM0001");
  } else if (text.starts_with("~GM")) {
    set(registry::v1::RESOLUTION_KIND_CORRECTED, {text.substr(1)});
  } else if (text.starts_with("GM")) {
    set(registry::v1::RESOLUTION_KIND_EXACT, {text});
  }
  return resolution;
}

absl::StatusOr<std::vector<registry::v1::Resolution>> TestResolve(const std::vector<std::string>& texts, const std::string&) {
  std::vector<registry::v1::Resolution> resolutions;
  for (const std::string& text : texts) resolutions.push_back(TestResolution(text));
  return resolutions;
}

intake::v1::Response MakeResponse(const Filled& filled) {
  intake::v1::Response response;
  response.set_name(ResponseName(filled.id));
  response.set_state(filled.withdrawn   ? intake::v1::RESPONSE_STATE_WITHDRAWN
                     : filled.submitted ? intake::v1::RESPONSE_STATE_SUBMITTED
                                        : intake::v1::RESPONSE_STATE_STARTED);
  response.set_test(filled.test);
  response.set_respondent_key(filled.person);
  response.set_last_section(1);
  response.mutable_started_at()->set_seconds(60 * filled.started);
  response.mutable_updated_at()->set_seconds(60 * filled.minute);
  if (filled.submitted) response.mutable_submitted_at()->set_seconds(60 * filled.minute);
  response.mutable_completeness()->set_asked(20);
  response.mutable_completeness()->set_answered(filled.answered);
  auto& answers = *response.mutable_answers();
  if (!filled.municipality.empty()) {
    auto& where = *answers.add_answers();
    where.set_question("Where");
    where.set_text(filled.municipality);
  }
  if (!filled.single.empty()) {
    auto& single = *answers.add_answers();
    single.set_question("Single");
    single.mutable_selection()->add_codes(filled.single);
  }
  if (!filled.multiple.empty()) {
    auto& several = *answers.add_answers();
    several.set_question("Several");
    several.mutable_selection()->mutable_codes()->Assign(filled.multiple.begin(), filled.multiple.end());
  }
  response.mutable_municipalities()->Assign(filled.invited.begin(), filled.invited.end());
  for (const auto& [code, option] : filled.single_of) {
    auto& own = *response.add_municipality_answers();
    own.set_municipality(code);
    auto& single = *own.add_answers();
    single.set_question("Single");
    single.mutable_selection()->add_codes(option);
  }
  return response;
}

Submission MakeSubmission(const Filled& filled) { return {MakeResponse(filled), TestResolution(filled.municipality)}; }

std::string ResponseName(const std::string& id) { return absl::StrCat(kWave, "/responses/", id); }

v1::Ruling Assign(const std::string& id, const std::string& code) {
  v1::Ruling ruling = RulingOn(id);
  ruling.mutable_assign()->set_municipality_code(code);
  return ruling;
}

v1::Ruling Keep(const std::string& id, const std::string& code) {
  v1::Ruling ruling = RulingOn(id);
  ruling.mutable_keep()->set_municipality_code(code);
  return ruling;
}

v1::Ruling Exclude(const std::string& id) {
  v1::Ruling ruling = RulingOn(id);
  ruling.mutable_exclude();
  return ruling;
}

v1::Ruling Split(const std::string& id, const std::vector<std::string>& codes) {
  v1::Ruling ruling = RulingOn(id);
  ruling.mutable_split()->mutable_municipality_codes()->Assign(codes.begin(), codes.end());
  return ruling;
}

std::vector<v1::Ruling> Numbered(std::vector<v1::Ruling> rulings) {
  for (size_t i = 0; i < rulings.size(); ++i) rulings[i].set_name(absl::StrCat(kWave, "/rulings/", i + 1));
  return rulings;
}

google::protobuf::Timestamp StoppedClock() {
  google::protobuf::Timestamp time;
  time.set_seconds(1'700'000'000);
  return time;
}

int64_t SumOfDispositions(const v1::CleaningReport& report) {
  return report.kept() + report.restarts() + report.colleague_duplicates() + report.municipality_unknown() + report.ambiguous() +
         report.out_of_frame() + report.withdrawn() + report.test() + report.excluded() + report.empty();
}

}  // namespace peiling::dedup
