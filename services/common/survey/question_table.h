// The questions of a questionnaire with their codes looked up in constant time.
#pragma once

#include <string_view>
#include <vector>

#include "peiling/survey/v1/answers.pb.h"
#include "peiling/survey/v1/questionnaire.pb.h"
#include "services/common/survey/code_index.h"

namespace peiling::survey {

// Index of a question in the questionnaire, in the order questions are put.
using QuestionIndex = int;
inline constexpr QuestionIndex kNoQuestion = -1;

// One question with what is needed fast.
struct CompiledQuestion {
  const v1::Question* question = nullptr;
  // From 1, as Response.last_section counts.
  int section = 0;
  CodeIndex options;
  CodeIndex rows;

  // Position of an option or row by code, -1 when there is none. `hint`, e.g. the position after the last one found, is tried first.
  int OptionOf(std::string_view code, int hint = 0) const { return options.Find(code, hint); }
  int RowOf(std::string_view code, int hint = 0) const { return rows.Find(code, hint); }

  // Whether an answer says anything: of the question's type, with at least one option (in a known row) that exists.
  bool Accepts(const v1::Answer& answer) const;
};

// Takes any questionnaire, also one that does not hold together: of double codes the first counts. Points into it. Immutable, so
// thread-safe.
class QuestionTable {
 public:
  QuestionTable() = default;
  explicit QuestionTable(const v1::Questionnaire& questionnaire);

  const std::vector<CompiledQuestion>& questions() const { return questions_; }
  // kNoQuestion when there is none of this code. `hint`, e.g. the index after the last one found, is tried first.
  QuestionIndex Find(std::string_view code, QuestionIndex hint = 0) const { return codes_.Find(code, hint); }

 private:
  std::vector<CompiledQuestion> questions_;
  CodeIndex codes_;
};

}  // namespace peiling::survey
