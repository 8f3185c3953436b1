#include "services/common/survey/question_table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/string_view.h"
#include "services/common/names/resource_names.h"

namespace peiling::survey {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// Codes come in the order of the questionnaire, mostly with gaps: a few comparisons of short texts are cheaper than a look-up.
constexpr int kNearby = 8;

// `items` are options or rows.
template <typename Items>
int PositionOf(std::string_view code, int hint, const Items& items, const absl::flat_hash_map<std::string, int>& by_code) {
  const int end = std::min(hint + kNearby, items.size());
  for (int i = std::max(hint, 0); i < end; ++i) {
    if (items[i].code() == code) return i;
  }
  const auto found = by_code.find(View(code));
  return found == by_code.end() ? -1 : found->second;
}

}  // namespace

int CompiledQuestion::OptionOf(std::string_view code, int hint) const { return PositionOf(code, hint, question->options(), options); }
int CompiledQuestion::RowOf(std::string_view code, int hint) const { return PositionOf(code, hint, question->rows(), rows); }

bool CompiledQuestion::Accepts(const v1::Answer& answer) const {
  switch (question->type()) {
    case v1::QUESTION_TYPE_TEXT:
      return answer.value_case() == v1::Answer::kText && !answer.text().empty();
    case v1::QUESTION_TYPE_NUMBER:
      return answer.value_case() == v1::Answer::kNumber && std::isfinite(answer.number());
    case v1::QUESTION_TYPE_DATE:
      return answer.value_case() == v1::Answer::kDate && names::IsDate(answer.date());
    case v1::QUESTION_TYPE_SINGLE:
      return answer.selection().codes_size() == 1 && OptionOf(answer.selection().codes(0)) >= 0;
    case v1::QUESTION_TYPE_MULTIPLE:
      for (const std::string& code : answer.selection().codes()) {
        if (OptionOf(code) >= 0) return true;
      }
      return false;
    case v1::QUESTION_TYPE_MATRIX:
      for (const v1::Cell& cell : answer.grid().cells()) {
        if (RowOf(cell.row()) >= 0 && OptionOf(cell.option()) >= 0) return true;
      }
      return false;
    default:
      return false;
  }
}

QuestionTable::QuestionTable(const v1::Questionnaire& questionnaire) {
  for (int s = 0; s < questionnaire.sections_size(); ++s) {
    for (const v1::Question& question : questionnaire.sections(s).questions()) {
      CompiledQuestion compiled;
      compiled.question = &question;
      compiled.section = s + 1;
      for (int i = 0; i < question.options_size(); ++i) compiled.options.try_emplace(question.options(i).code(), i);
      for (int i = 0; i < question.rows_size(); ++i) compiled.rows.try_emplace(question.rows(i).code(), i);
      by_code_.try_emplace(question.code(), static_cast<QuestionIndex>(questions_.size()));
      questions_.push_back(std::move(compiled));
    }
  }
}

QuestionIndex QuestionTable::Find(std::string_view code, QuestionIndex hint) const {
  const int end = std::min(hint + kNearby, static_cast<int>(questions_.size()));
  for (int i = std::max(hint, 0); i < end; ++i) {
    if (questions_[i].question->code() == code) return i;
  }
  const auto found = by_code_.find(View(code));
  return found == by_code_.end() ? kNoQuestion : found->second;
}

}  // namespace peiling::survey
