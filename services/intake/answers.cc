#include "services/intake/answers.h"

#include <algorithm>
#include <limits>
#include <string>

#include "google/protobuf/repeated_field.h"

namespace peiling::intake {
namespace {

using ::google::protobuf::RepeatedPtrField;
using ::peiling::survey::v1::Answer;
using ::peiling::survey::v1::Answers;
using ::peiling::survey::v1::Cell;

// The unknown sorts last.
int Last(int index) { return index < 0 ? std::numeric_limits<int>::max() : index; }

// Sorts by `index_of(item, hint)`. Most of what comes in is in order already and costs one look at each.
template <typename Item, typename IndexOf>
void SortBy(RepeatedPtrField<Item>& items, const IndexOf& index_of) {
  int last = -1;
  bool sorted = true;
  for (const Item& item : items) {
    const int index = Last(index_of(item, last == std::numeric_limits<int>::max() ? 0 : last + 1));
    sorted = sorted && index >= last;
    last = index;
  }
  if (sorted) return;
  std::stable_sort(items.pointer_begin(), items.pointer_end(),
                   [&](const Item* left, const Item* right) { return Last(index_of(*left, 0)) < Last(index_of(*right, 0)); });
}

void SortAnswers(const survey::CompiledQuestionnaire& questionnaire, Answers& answers) {
  SortBy(*answers.mutable_answers(), [&](const Answer& answer, int hint) { return questionnaire.Find(answer.question(), hint); });
}

bool SaysNothing(const Answer& answer) {
  switch (answer.value_case()) {
    case Answer::kText:
      return answer.text().empty();
    case Answer::kDate:
      return answer.date().empty();
    case Answer::kSelection:
      return answer.selection().codes().empty() && answer.selection().other_text().empty() && answer.selection().comment().empty();
    case Answer::kGrid:
      return answer.grid().cells().empty();
    case Answer::kNumber:
      return false;
    case Answer::VALUE_NOT_SET:
      return true;
  }
  return true;
}

template <typename Drop>
void RemoveIf(RepeatedPtrField<Answer>& answers, const Drop& drop) {
  int kept = 0;
  for (int i = 0; i < answers.size(); ++i) {
    if (!drop(*answers.Mutable(i))) answers.SwapElements(i, kept++);
  }
  answers.DeleteSubrange(kept, answers.size() - kept);
}

}  // namespace

void Normalise(const survey::CompiledQuestionnaire& questionnaire, Answers& answers) {
  RemoveIf(*answers.mutable_answers(), SaysNothing);
  SortAnswers(questionnaire, answers);
  survey::QuestionIndex index = -1;
  for (Answer& answer : *answers.mutable_answers()) {
    index = questionnaire.Find(answer.question(), index + 1);
    if (index == survey::kNoQuestion) continue;
    const survey::CompiledQuestion& question = questionnaire.questions()[index];
    if (answer.has_selection()) {
      SortBy(*answer.mutable_selection()->mutable_codes(),
             [&](const std::string& code, int hint) { return question.OptionOf(code, hint); });
    } else if (answer.has_grid()) {
      SortBy(*answer.mutable_grid()->mutable_cells(), [&](const Cell& cell, int hint) { return question.RowOf(cell.row(), hint); });
    }
  }
}

Answers TakePersonal(const survey::CompiledQuestionnaire& questionnaire, Answers& answers) {
  Answers personal;
  survey::QuestionIndex index = -1;
  RemoveIf(*answers.mutable_answers(), [&](Answer& answer) {
    index = questionnaire.Find(answer.question(), index + 1);
    if (index == survey::kNoQuestion || !questionnaire.questions()[index].question->personal()) return false;
    personal.add_answers()->Swap(&answer);
    return true;
  });
  return personal;
}

void PutBackPersonal(const survey::CompiledQuestionnaire& questionnaire, Answers personal, Answers& answers) {
  for (Answer& answer : *personal.mutable_answers()) answers.add_answers()->Swap(&answer);
  SortAnswers(questionnaire, answers);
}

}  // namespace peiling::intake
