#include "services/common/survey/question_table.h"

#include <cmath>

#include "services/common/names/resource_names.h"

namespace peiling::survey {

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
      for (const v1::Option& option : question.options()) compiled.options.Add(option.code());
      for (const v1::Row& row : question.rows()) compiled.rows.Add(row.code());
      codes_.Add(question.code());
      questions_.push_back(std::move(compiled));
    }
  }
}

}  // namespace peiling::survey
