#include "services/validation/validation_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/text/fold.h"

namespace peiling::validation {

namespace sv = survey::v1;
using survey::CompiledQuestion;
using survey::kNoQuestion;
using survey::QuestionIndex;

namespace {

// Sorts after every question there is.
constexpr QuestionIndex kUnknownQuestion = std::numeric_limits<QuestionIndex>::max();

// What looks like a code may be told again; anything else could be an answer.
std::string CodeToTell(const std::string& code) {
  const bool plain = code.size() <= 64 && std::all_of(code.begin(), code.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
                     });
  return plain ? code : "";
}

bool IsTooLong(const std::string& text) {
  if (text.size() <= ValidationPlan::kMaxTextCharacters) return false;
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return static_cast<size_t>(characters) > ValidationPlan::kMaxTextCharacters;
}

// Word by word; a loop over bytes that may end early is slow.
bool IsAscii(const std::string& text) {
  uint64_t bits = 0;
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= text.size(); i += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, sizeof(word));
    bits |= word;
  }
  for (; i < text.size(); ++i) bits |= static_cast<unsigned char>(text[i]);
  return (bits & 0x8080808080808080) == 0;
}

}  // namespace

// Judging one response.
class ValidationPlan::Judgement {
 public:
  Judgement(const ValidationPlan& plan, const v1::ResponseInput& response, Scratch& scratch)
      : plan_(plan), response_(response), scratch_(scratch) {
    scratch_.issues.clear();
    if (scratch_.questions.size() < questions().size()) scratch_.questions.resize(questions().size());
    if (scratch_.items.size() < plan.most_items_) scratch_.items.resize(plan.most_items_);
  }

  void Run(std::optional<int64_t> inhabitants, v1::ResponseResult& result) {
    plan_.compiled_->Assess(response_.answers(), response_.submitted(), response_.last_section(), scratch_.assessment);
    const uint32_t mark = NewMark();
    for (int i = 0; i < response_.answers().answers_size(); ++i) {
      const sv::Answer& answer = response_.answers().answers(i);
      index_ = scratch_.assessment.questions[i];
      if (index_ == kNoQuestion) {
        AddUnknownQuestion(answer);
        continue;
      }
      if (std::exchange(scratch_.questions[index_], mark) == mark) {
        Error(v1::ISSUE_KIND_REPEATED, Phrase::kRepeatedQuestion);
      } else {
        CheckAnswer(questions()[index_], answer);
      }
    }
    CheckRequired();
    if (inhabitants.has_value()) CheckSizeClass(*inhabitants);
    Tell(result);
  }

 private:
  const std::vector<CompiledQuestion>& questions() const { return plan_.compiled_->questions(); }

  // Marks tell what was seen since from what was seen before, without clearing.
  uint32_t NewMark() {
    if (++scratch_.mark == 0) {
      std::fill(scratch_.questions.begin(), scratch_.questions.end(), 0);
      std::fill(scratch_.items.begin(), scratch_.items.end(), 0);
      scratch_.mark = 1;
    }
    return scratch_.mark;
  }

  void CheckAnswer(const CompiledQuestion& compiled, const sv::Answer& answer) {
    if (answer.value_case() == sv::Answer::VALUE_NOT_SET) return;
    const bool aside = scratch_.assessment.states[index_] == sv::QUESTION_STATE_NOT_ASKED && scratch_.assessment.answers[index_] != nullptr;
    if (aside) Warning(v1::ISSUE_KIND_NOT_ASKED, Phrase::kNotAsked);
    switch (compiled.question->type()) {
      case sv::QUESTION_TYPE_TEXT:
        if (!Expect(answer.has_text(), Phrase::kWantText)) return;
        return CheckText(answer.text());
      case sv::QUESTION_TYPE_NUMBER:
        if (!Expect(answer.has_number() && std::isfinite(answer.number()), Phrase::kWantNumber)) return;
        return CheckNumber(*compiled.question, answer.number());
      case sv::QUESTION_TYPE_DATE:
        Expect(answer.has_date() && names::IsDate(answer.date()), Phrase::kWantDate);
        return;
      case sv::QUESTION_TYPE_MATRIX:
        if (!Expect(answer.has_grid(), Phrase::kWantGrid)) return;
        return CheckGrid(compiled, answer.grid());
      default:
        if (!Expect(answer.has_selection(), Phrase::kWantChoice)) return;
        return CheckSelection(compiled, answer.selection());
    }
  }

  bool Expect(bool holds, Phrase phrase) {
    if (!holds) Error(v1::ISSUE_KIND_WRONG_TYPE, phrase);
    return holds;
  }

  void CheckText(const std::string& text) {
    if (IsTooLong(text)) {
      Error(v1::ISSUE_KIND_TEXT_TOO_LONG, Phrase::kTextTooLong);
    } else if (!IsAscii(text) && !text::IsValidUtf8(text)) {
      Error(v1::ISSUE_KIND_TEXT_TOO_LONG, Phrase::kTextNotUtf8);
    }
  }

  void CheckNumber(const sv::Question& question, double number) {
    if (question.has_minimum() && number < question.minimum())
      Error(v1::ISSUE_KIND_WRONG_TYPE, Phrase::kNumberBelow, "", absl::StrCat(question.minimum()));
    if (question.has_maximum() && number > question.maximum())
      Error(v1::ISSUE_KIND_WRONG_TYPE, Phrase::kNumberAbove, "", absl::StrCat(question.maximum()));
  }

  void CheckGrid(const CompiledQuestion& compiled, const sv::Grid& grid) {
    const uint32_t mark = NewMark();
    int hint = 0;
    for (const sv::Cell& cell : grid.cells()) {
      const int row = compiled.RowOf(cell.row(), hint);
      hint = row + 1;
      if (row < 0) {
        Error(v1::ISSUE_KIND_UNKNOWN_CODE, Phrase::kUnknownRow, cell.row());
      } else if (std::exchange(scratch_.items[row], mark) == mark) {
        Error(v1::ISSUE_KIND_REPEATED, Phrase::kRepeatedRow, cell.row());
      } else if (compiled.OptionOf(cell.option()) < 0) {
        Error(v1::ISSUE_KIND_UNKNOWN_CODE, Phrase::kUnknownOption, cell.row());
      }
    }
  }

  void CheckSelection(const CompiledQuestion& compiled, const sv::Selection& selection) {
    const sv::Question& question = *compiled.question;
    const uint32_t mark = NewMark();
    const std::vector<uint8_t>& traits = plan_.traits_[index_];
    uint8_t chosen = 0;
    int exclusive = 0;
    int hint = 0;
    for (const std::string& code : selection.codes()) {
      const int position = compiled.OptionOf(code, hint);
      hint = position + 1;
      if (position < 0) {
        Error(v1::ISSUE_KIND_UNKNOWN_CODE, Phrase::kUnknownOption, question.personal() ? "" : code);
        continue;
      }
      if (std::exchange(scratch_.items[position], mark) == mark) Error(v1::ISSUE_KIND_REPEATED, Phrase::kRepeatedOption, code);
      chosen |= traits[position];
      if ((traits[position] & kExclusive) != 0) exclusive = position;
    }
    CheckNumberOfChoices(question, selection.codes_size());
    if ((chosen & kExclusive) != 0 && selection.codes_size() > 1) {
      const sv::Option& option = question.options(exclusive);
      Error(v1::ISSUE_KIND_EXCLUSIVE_WITH_OTHERS, Phrase::kChosenAlone, option.code(), option.label());
    }
    CheckTexts(question, selection, (chosen & kOther) != 0, (chosen & kComment) != 0);
  }

  void CheckNumberOfChoices(const sv::Question& question, int chosen) {
    if (question.type() == sv::QUESTION_TYPE_SINGLE) {
      if (chosen > 1) Error(v1::ISSUE_KIND_TOO_MANY_CHOICES, Phrase::kChooseOne);
    } else if (question.max_choices() > 0 && chosen > question.max_choices()) {
      Error(v1::ISSUE_KIND_TOO_MANY_CHOICES, Phrase::kChooseAtMost, "", std::to_string(question.max_choices()), std::to_string(chosen));
    }
  }

  void CheckTexts(const sv::Question& question, const sv::Selection& selection, bool other, bool commented) {
    CheckText(selection.other_text());
    CheckText(selection.comment());
    if (other && selection.other_text().empty()) {
      const auto& options = question.options();
      const auto option =
          std::find_if(options.begin(), options.end(), [&](const sv::Option& o) { return o.code() == question.other_code(); });
      Warning(v1::ISSUE_KIND_OTHER_WITHOUT_TEXT, Phrase::kOtherWithoutText, question.other_code(), option->label());
    }
    if (!other && !selection.other_text().empty())
      Warning(v1::ISSUE_KIND_TEXT_WITHOUT_OTHER, Phrase::kTextWithoutOther, question.other_code());
    if (!commented && !selection.comment().empty()) Warning(v1::ISSUE_KIND_TEXT_WITHOUT_OTHER, Phrase::kCommentWithoutOption);
  }

  void CheckRequired() {
    for (const QuestionIndex index : plan_.required_) {
      if (scratch_.assessment.states[index] != sv::QUESTION_STATE_SKIPPED) continue;
      index_ = index;
      // An answer that is wrong altogether has been told.
      if (HasError(index)) continue;
      Add(v1::ISSUE_KIND_REQUIRED_MISSING, response_.submitted() ? v1::SEVERITY_ERROR : v1::SEVERITY_WARNING, Phrase::kRequired, "", "",
          "");
    }
  }

  bool HasError(QuestionIndex index) const {
    return std::any_of(scratch_.issues.begin(), scratch_.issues.end(),
                       [&](const auto& found) { return found.first == index && found.second.severity() == v1::SEVERITY_ERROR; });
  }

  void CheckSizeClass(int64_t inhabitants) {
    index_ = plan_.size_class_;
    if (scratch_.assessment.states[index_] != sv::QUESTION_STATE_ANSWERED) return;
    const CompiledQuestion& compiled = questions()[index_];
    const sv::Option& stated = compiled.question->options(compiled.OptionOf(scratch_.assessment.answers[index_]->selection().codes(0)));
    const bool ranged = stated.has_inhabitants_from() || stated.has_inhabitants_to();
    const bool below = inhabitants < stated.inhabitants_from();
    const bool above = stated.has_inhabitants_to() && inhabitants > stated.inhabitants_to();
    if (!ranged || (!below && !above)) return;
    Warning(v1::ISSUE_KIND_SIZE_CLASS_DIFFERS, Phrase::kSizeClassDiffers, stated.code(), Grouped(plan_.language_, inhabitants));
  }

  void AddUnknownQuestion(const sv::Answer& answer) {
    index_ = kUnknownQuestion;
    v1::Issue* issue = Add(v1::ISSUE_KIND_UNKNOWN_QUESTION, v1::SEVERITY_ERROR, Phrase::kUnknownQuestion, "", "", "");
    if (issue != nullptr) issue->set_question(CodeToTell(answer.question()));
  }

  void Error(v1::IssueKind kind, Phrase phrase, const std::string& code = "", const std::string& first = "",
             const std::string& second = "") {
    Add(kind, v1::SEVERITY_ERROR, phrase, code, first, second);
  }
  void Warning(v1::IssueKind kind, Phrase phrase, const std::string& code = "", const std::string& first = "") {
    Add(kind, v1::SEVERITY_WARNING, phrase, code, first, "");
  }

  // Null when there are enough. Errors and warnings are counted apart, so that many of one do not hide the other.
  v1::Issue* Add(v1::IssueKind kind, v1::Severity severity, Phrase phrase, const std::string& code, const std::string& first,
                 const std::string& second) {
    size_t& count = severity == v1::SEVERITY_ERROR ? errors_ : warnings_;
    if (count == kMaxIssues) return nullptr;
    ++count;
    v1::Issue& issue = scratch_.issues.emplace_back(index_, v1::Issue()).second;
    if (index_ != kUnknownQuestion) issue.set_question(questions()[index_].question->code());
    issue.set_code(CodeToTell(code));
    issue.set_kind(kind);
    issue.set_severity(severity);
    issue.set_message(Say(plan_.language_, phrase, first, second));
    return &issue;
  }

  void Tell(v1::ResponseResult& result) {
    std::stable_sort(scratch_.issues.begin(), scratch_.issues.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    result.clear_issues();
    for (auto& [index, issue] : scratch_.issues) *result.add_issues() = std::move(issue);
    *result.mutable_completeness() = scratch_.assessment.completeness;
  }

  const ValidationPlan& plan_;
  const v1::ResponseInput& response_;
  Scratch& scratch_;
  // The question under check.
  QuestionIndex index_ = kNoQuestion;
  size_t errors_ = 0;
  size_t warnings_ = 0;
};

absl::StatusOr<std::shared_ptr<const ValidationPlan>> ValidationPlan::Compile(sv::Questionnaire questionnaire) {
  auto compiled = survey::CompiledQuestionnaire::Compile(std::move(questionnaire));
  if (!compiled.ok()) return compiled.status();
  return std::shared_ptr<const ValidationPlan>(new ValidationPlan(*std::move(compiled)));
}

ValidationPlan::ValidationPlan(std::shared_ptr<const survey::CompiledQuestionnaire> compiled)
    : compiled_(std::move(compiled)),
      language_(LanguageOf(compiled_->proto().language())),
      municipality_(compiled_->FindRole(sv::QUESTION_ROLE_MUNICIPALITY)),
      size_class_(compiled_->FindRole(sv::QUESTION_ROLE_SIZE_CLASS)) {
  for (size_t i = 0; i < compiled_->questions().size(); ++i) {
    const CompiledQuestion& compiled_question = compiled_->questions()[i];
    if (compiled_question.question->required()) required_.push_back(static_cast<QuestionIndex>(i));
    std::vector<uint8_t>& traits = traits_.emplace_back();
    for (const sv::Option& option : compiled_question.question->options()) {
      const bool other = option.code() == compiled_question.question->other_code();
      traits.push_back((option.exclusive() ? kExclusive : 0) | (other ? kOther : 0) | (option.comment() ? kComment : 0));
    }
    most_items_ = std::max({most_items_, compiled_question.options.size(), compiled_question.rows.size()});
  }
}

const std::string* ValidationPlan::MunicipalityToCheck(const sv::Answers& answers) const {
  const sv::Answer* municipality = nullptr;
  bool stated = false;
  for (const sv::Answer& answer : answers.answers()) {
    if (municipality == nullptr && answer.question() == compiled_->questions()[municipality_].question->code()) municipality = &answer;
    stated |= answer.question() == compiled_->questions()[size_class_].question->code();
    if (municipality != nullptr && stated) return municipality->text().empty() ? nullptr : &municipality->text();
  }
  return nullptr;
}

void ValidationPlan::Judge(const v1::ResponseInput& response, std::optional<int64_t> inhabitants, Scratch& scratch,
                           v1::ResponseResult& result) const {
  Judgement(*this, response, scratch).Run(inhabitants, result);
}

}  // namespace peiling::validation
