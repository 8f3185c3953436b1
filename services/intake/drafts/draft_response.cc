#include "services/intake/drafts/draft_response.h"

#include <algorithm>
#include <map>
#include <set>
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

// Of the answers validation is asked about at a time: half of what a message may hold (4 MiB). A single draft has less (kMaxResponseBytes).
constexpr size_t kGroupBytes = 2 << 20;

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

// Whether validation says the same of two variants.
std::string KeyOf(const Issue& issue) { return issue.SerializeAsString(); }

// One list of what is said of all variants: what is said of every one of them is said once.
RepeatedPtrField<Issue> Combine(const std::vector<Variant>& variants, std::vector<RepeatedPtrField<Issue>> said,
                                const survey::CompiledQuestionnaire& questionnaire) {
  // Of how many variants each is said. Of one it can be said several times, of several rows of a matrix.
  std::map<std::string, size_t> variants_of;
  for (const auto& of_variant : said) {
    std::set<std::string> keys;
    for (const Issue& issue : of_variant) keys.insert(KeyOf(issue));
    for (const std::string& key : keys) ++variants_of[key];
  }
  RepeatedPtrField<Issue> issues;
  for (size_t i = 0; i < variants.size(); ++i) {
    for (Issue& issue : said[i]) {
      const bool of_all = variants_of[KeyOf(issue)] == variants.size();
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

// What validation says of each variant, asked in groups that fit in a message. `variants` lose their answers.
absl::StatusOr<std::vector<RepeatedPtrField<Issue>>> Judge(std::vector<Variant>& variants, int last_section, const WaveQuestions& questions,
                                                           ResponseValidator& validator, const MakeContext& make_context) {
  std::vector<RepeatedPtrField<Issue>> said;
  while (said.size() < variants.size()) {
    validation::v1::ValidateResponsesRequest request;
    size_t bytes = 0;
    for (size_t i = said.size(); i < variants.size(); ++i) {
      Answers& answers = variants[i].answers;
      bytes += answers.ByteSizeLong();
      if (request.responses_size() > 0 && bytes > kGroupBytes) break;
      validation::v1::ResponseInput& input = *request.add_responses();
      input.mutable_answers()->Swap(&answers);
      input.set_submitted(true);
      input.set_last_section(last_section);
    }
    auto judged = validator.Validate(questions, make_context, request);
    if (!judged.ok()) return judged.status();
    for (auto& result : *judged->mutable_results()) said.emplace_back().Swap(result.mutable_issues());
  }
  return said;
}

}  // namespace

absl::StatusOr<DraftJudgement> JudgeDraft(const StoredDraft& stored, const WaveQuestions& questions, ResponseValidator& validator,
                                          const MakeContext& make_context) {
  std::vector<Variant> variants = VariantsOf(stored, *questions.questionnaire);
  auto said = Judge(variants, stored.draft.last_section(), questions, validator, make_context);
  if (!said.ok()) return said.status();
  DraftJudgement judgement{.has_error = std::any_of(said->begin(), said->end(), HasError)};
  judgement.issues = Combine(variants, *std::move(said), *questions.questionnaire);
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
