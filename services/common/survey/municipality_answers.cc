#include "services/common/survey/municipality_answers.h"

#include <algorithm>
#include <string>

namespace peiling::survey {
namespace {

// Puts an answer where the one to the same question stands, takes that away when it has no value, or adds it at the end.
void Replace(const v1::Answer& own, v1::Answers& answers) {
  auto& all = *answers.mutable_answers();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& answer) { return answer.question() == own.question(); });
  const bool empty = own.value_case() == v1::Answer::VALUE_NOT_SET;
  if (found != all.end() && empty) {
    all.erase(found);
  } else if (found != all.end()) {
    *found = own;
  } else if (!empty) {
    *all.Add() = own;
  }
}

}  // namespace

v1::Answers AnswersFor(std::string_view municipality, const v1::Answers& answers,
                       const google::protobuf::RepeatedPtrField<v1::MunicipalityAnswers>& municipality_answers,
                       const CompiledQuestionnaire& questionnaire) {
  v1::Answers merged = answers;
  for (const v1::MunicipalityAnswers& of : municipality_answers) {
    if (of.municipality() != municipality) continue;
    for (const v1::Answer& own : of.answers()) Replace(own, merged);
  }
  const auto place = [&](const v1::Answer& answer) {
    const QuestionIndex index = questionnaire.Find(answer.question());
    return index == kNoQuestion ? static_cast<QuestionIndex>(questionnaire.questions().size()) : index;
  };
  std::stable_sort(merged.mutable_answers()->begin(), merged.mutable_answers()->end(),
                   [&](const v1::Answer& a, const v1::Answer& b) { return place(a) < place(b); });
  return merged;
}

}  // namespace peiling::survey
