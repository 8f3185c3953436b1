#include "services/common/survey/compiled_questionnaire.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/common/status/errors.h"
#include "services/common/survey/check_questionnaire.h"

namespace peiling::survey {
std::string Fingerprint(const v1::Questionnaire& questionnaire) {
  const std::string bytes = proto::CanonicalBytes(questionnaire);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), length});
}

absl::StatusOr<std::shared_ptr<const CompiledQuestionnaire>> CompiledQuestionnaire::Compile(v1::Questionnaire questionnaire) {
  status::BadRequest bad;
  for (const Finding& finding : CheckQuestionnaire(questionnaire)) {
    if (finding.error) bad.Add(finding.field, finding.message);
  }
  if (!bad.empty()) return bad.ToStatus("QUESTIONNAIRE_INVALID");

  std::shared_ptr<CompiledQuestionnaire> compiled(new CompiledQuestionnaire);
  compiled->proto_ = std::move(questionnaire);
  compiled->fingerprint_ = Fingerprint(compiled->proto_);
  compiled->table_ = QuestionTable(compiled->proto_);
  compiled->BindRouting();
  return compiled;
}

void CompiledQuestionnaire::BindRouting() {
  absl::flat_hash_map<std::string, int> programs;
  const auto bind = [&](const std::string& text) {
    if (text.empty()) return kAlways;
    const auto [found, added] = programs.try_emplace(text, static_cast<int>(programs_.size()));
    if (added) {
      // The check has bound the same texts without a problem.
      std::vector<RoutingProgram::Problem> none;
      programs_.push_back(RoutingProgram::Bind(**Routing::Parse(text), table_, static_cast<QuestionIndex>(questions().size()), none));
    }
    return found->second;
  };
  for (const CompiledQuestion& compiled : questions()) {
    const std::string& section_ask = proto_.sections(compiled.section - 1).ask();
    const int section = bind(section_ask);
    asks_.push_back({section, bind(compiled.question->ask())});
  }
}

QuestionIndex CompiledQuestionnaire::FindRole(v1::QuestionRole role) const {
  const auto found =
      std::find_if(questions().begin(), questions().end(), [role](const CompiledQuestion& q) { return q.question->role() == role; });
  return found == questions().end() ? kNoQuestion : static_cast<QuestionIndex>(found - questions().begin());
}

int CompiledQuestionnaire::Place(const v1::Answers& answers, Assessment& assessment) const {
  int reached = 0;
  QuestionIndex hint = 0;
  for (const v1::Answer& answer : answers.answers()) {
    const QuestionIndex index = Find(answer.question(), hint);
    assessment.questions.push_back(index);
    if (index == kNoQuestion) continue;
    hint = index + 1;
    const CompiledQuestion& compiled = questions()[index];
    if (assessment.answers[index] != nullptr || !compiled.Accepts(answer)) continue;
    assessment.answers[index] = &answer;
    reached = std::max(reached, compiled.section);
  }
  return reached;
}

void CompiledQuestionnaire::Assess(const v1::Answers& answers, bool submitted, int last_section, Assessment& assessment) const {
  const size_t count = questions().size();
  // No truth yet: each expression is evaluated when the first question needs it; all it looks at comes before.
  constexpr Truth kNotEvaluated{0xFF};
  assessment.states.assign(count, v1::QUESTION_STATE_NOT_ASKED);
  assessment.answers.assign(count, nullptr);
  assessment.questions.clear();
  assessment.known.assign(count, KnownAnswer());
  assessment.routing.assign(programs_.size(), kNotEvaluated);
  v1::Completeness& completeness = assessment.completeness;
  completeness.Clear();

  const int reached = std::max(Place(answers, assessment), last_section);
  const auto truth = [&](int program) {
    if (program == kAlways) return Truth::kTrue;
    Truth& known = assessment.routing[program];
    if (known == kNotEvaluated) known = programs_[program].Evaluate(assessment.known);
    return known;
  };
  for (size_t i = 0; i < count; ++i) {
    const Truth section = truth(asks_[i].section);
    const Truth asked = section == Truth::kFalse ? section : std::min(section, truth(asks_[i].question));
    const bool open = !submitted && questions()[i].section > reached;
    if (asked == Truth::kFalse) continue;
    if (asked == Truth::kTrue) completeness.set_asked(completeness.asked() + 1);
    if (open) {
      assessment.states[i] = v1::QUESTION_STATE_NOT_REACHED;
      assessment.known[i].open = true;
      if (completeness.broke_off_at().empty()) completeness.set_broke_off_at(questions()[i].question->code());
    } else if (assessment.answers[i] != nullptr) {
      assessment.states[i] = v1::QUESTION_STATE_ANSWERED;
      assessment.known[i].answer = assessment.answers[i];
      completeness.set_answered(completeness.answered() + 1);
    } else {
      assessment.states[i] = v1::QUESTION_STATE_SKIPPED;
    }
  }
}

}  // namespace peiling::survey
