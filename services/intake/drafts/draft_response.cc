#include "services/intake/drafts/draft_response.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/survey/municipality_answers.h"
#include "services/intake/answers.h"
#include "services/intake/respondent_key.h"

namespace peiling::intake {
namespace {

using ::google::protobuf::RepeatedPtrField;
using ::peiling::survey::v1::Answers;
using ::peiling::validation::v1::Issue;

// Answers that stand for one municipality, or, without one, for all that have none of their own.
struct Variant {
  std::string municipality;
  Answers answers;
};

Answers WithPersonal(const StoredDraft& stored, const survey::CompiledQuestionnaire& questionnaire) {
  Answers answers = stored.draft.answers();
  PutBackPersonal(questionnaire, stored.personal, answers);
  return answers;
}

std::vector<Variant> VariantsOf(const StoredDraft& stored, const survey::CompiledQuestionnaire& questionnaire) {
  const v1::Draft& draft = stored.draft;
  Answers all = WithPersonal(stored, questionnaire);
  std::vector<Variant> variants;
  for (const auto& own : draft.municipality_answers()) {
    variants.push_back({.municipality = own.municipality(),
                        .answers = survey::AnswersFor(own.municipality(), all, draft.municipality_answers(), questionnaire)});
  }
  if (draft.municipality_answers_size() < draft.municipalities_size()) variants.insert(variants.begin(), {.answers = std::move(all)});
  return variants;
}

bool LessComplete(const survey::v1::Completeness& a, const survey::v1::Completeness& b) {
  return a.asked() - a.answered() > b.asked() - b.answered();
}

// One list of what is said of all variants: what holds for every one of them is said once.
RepeatedPtrField<Issue> Combine(const std::vector<Variant>& variants, RepeatedPtrField<validation::v1::ResponseResult>& results,
                                const survey::CompiledQuestionnaire& questionnaire) {
  std::map<std::tuple<std::string, std::string, int>, size_t> counts;
  const auto key = [](const Issue& issue) { return std::tuple(issue.question(), issue.code(), static_cast<int>(issue.kind())); };
  for (const auto& result : results) {
    for (const Issue& issue : result.issues()) ++counts[key(issue)];
  }
  RepeatedPtrField<Issue> issues;
  for (size_t i = 0; i < variants.size(); ++i) {
    for (Issue& issue : *results[static_cast<int>(i)].mutable_issues()) {
      const bool of_all = counts[key(issue)] == variants.size();
      if (of_all && i > 0) continue;
      if (!of_all && !variants[i].municipality.empty()) issue.set_message(absl::StrCat(variants[i].municipality, ": ", issue.message()));
      issues.Add()->Swap(&issue);
    }
  }
  const auto place = [&questionnaire](const Issue* issue) {
    const survey::QuestionIndex index = questionnaire.Find(issue->question());
    return index == survey::kNoQuestion ? static_cast<survey::QuestionIndex>(questionnaire.questions().size()) : index;
  };
  std::stable_sort(issues.pointer_begin(), issues.pointer_end(), [&](const Issue* a, const Issue* b) { return place(a) < place(b); });
  return issues;
}

}  // namespace

absl::StatusOr<DraftJudgement> JudgeDraft(const StoredDraft& stored, bool submitted, const WaveQuestions& questions,
                                          ResponseValidator& validator, const MakeContext& make_context) {
  std::vector<Variant> variants = VariantsOf(stored, *questions.questionnaire);
  validation::v1::ValidateResponsesRequest request;
  for (Variant& variant : variants) {
    validation::v1::ResponseInput& input = *request.add_responses();
    input.mutable_answers()->Swap(&variant.answers);
    input.set_submitted(submitted);
    input.set_last_section(stored.draft.last_section());
  }
  auto judged = validator.Validate(questions, make_context, request);
  if (!judged.ok()) return judged.status();
  DraftJudgement judgement;
  judgement.completeness = std::min_element(judged->results().begin(), judged->results().end(), [](const auto& a, const auto& b) {
                             return LessComplete(a.completeness(), b.completeness());
                           })->completeness();
  judgement.issues = Combine(variants, *judged->mutable_results(), *questions.questionnaire);
  return judgement;
}

survey::v1::Completeness CompletenessOf(const StoredDraft& stored, const survey::CompiledQuestionnaire& questionnaire) {
  survey::v1::Completeness least;
  bool first = true;
  for (const Variant& variant : VariantsOf(stored, questionnaire)) {
    survey::Assessment assessment;
    questionnaire.Assess(variant.answers, stored.draft.state() == v1::RESPONSE_STATE_SUBMITTED, stored.draft.last_section(), assessment);
    if (std::exchange(first, false) || LessComplete(assessment.completeness, least)) least = std::move(assessment.completeness);
  }
  return least;
}

v1::Response ResponseOf(const StoredDraft& stored, const survey::CompiledQuestionnaire& questionnaire, const std::string& secret) {
  const v1::Draft& draft = stored.draft;
  v1::Response response;
  response.set_name(draft.name());
  response.set_state(draft.state());
  *response.mutable_answers() = draft.answers();
  *response.mutable_municipalities() = draft.municipalities();
  *response.mutable_municipality_answers() = draft.municipality_answers();
  *response.mutable_started_at() = draft.started_at();
  *response.mutable_updated_at() = draft.updated_at();
  if (draft.has_submitted_at()) *response.mutable_submitted_at() = draft.submitted_at();
  response.set_language(draft.language());
  response.set_last_section(draft.last_section());
  response.set_test(draft.test());
  response.set_respondent_key(RespondentKey(secret, questionnaire, WithPersonal(stored, questionnaire)));
  *response.mutable_completeness() = CompletenessOf(stored, questionnaire);
  return response;
}

}  // namespace peiling::intake
