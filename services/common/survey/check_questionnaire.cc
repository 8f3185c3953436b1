#include "services/common/survey/check_questionnaire.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/survey/question_table.h"
#include "services/common/survey/reachability.h"
#include "services/common/survey/routing_program.h"

namespace peiling::survey {
namespace {

constexpr int kMaxQuestions = 2000;
constexpr int kMaxSections = 500;
constexpr int kMaxChoices = 500;
constexpr size_t kMaxCode = 64;
constexpr size_t kMaxTitle = 10'000;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsCode(const std::string& code) {
  return !code.empty() && code.size() <= kMaxCode &&
         std::all_of(code.begin(), code.end(), [](char c) { return IsLetter(c) || (c >= '0' && c <= '9') || c == '_'; });
}

bool TakesOptions(v1::QuestionType type) {
  return type == v1::QUESTION_TYPE_SINGLE || type == v1::QUESTION_TYPE_MULTIPLE || type == v1::QUESTION_TYPE_MATRIX;
}
bool TakesSelection(v1::QuestionType type) { return type == v1::QUESTION_TYPE_SINGLE || type == v1::QUESTION_TYPE_MULTIPLE; }
bool IsConsent(v1::QuestionRole role) { return role == v1::QUESTION_ROLE_CONSENT_PUBLIC_DATA || role == v1::QUESTION_ROLE_CONSENT_CONTACT; }

class Checker {
 public:
  explicit Checker(const v1::Questionnaire& questionnaire) : questionnaire_(questionnaire), table_(questionnaire) {}

  std::vector<Finding> Run() {
    if (!names::IsId(questionnaire_.version())) Error("version", "\"", questionnaire_.version(), "\", want letters, digits, '-', '_', '.'");
    if (!IsLanguage(questionnaire_.language())) Error("language", "\"", questionnaire_.language(), "\", want a language such as \"nl\"");
    if (questionnaire_.sections().empty()) Error("sections", "want at least one");
    if (questionnaire_.sections_size() > kMaxSections) Error("sections", "more than ", kMaxSections);
    if (table_.questions().size() > kMaxQuestions) Error("sections", "more than ", kMaxQuestions, " questions");
    // Too large to look at in detail.
    if (questionnaire_.sections_size() > kMaxSections || table_.questions().size() > kMaxQuestions) return findings_;

    QuestionIndex index = 0;
    for (int s = 0; s < questionnaire_.sections_size(); ++s) index = CheckSection(s, index);
    if (!roles_.contains(v1::QUESTION_ROLE_MUNICIPALITY))
      Warning("sections", "no question has role municipality, so responses stand for nobody");
    return std::move(findings_);
  }

 private:
  // Returns the index after the section's last question.
  QuestionIndex CheckSection(int s, QuestionIndex index) {
    const v1::Section& section = questionnaire_.sections(s);
    const std::string field = absl::StrCat("sections[", s, "]");
    CheckTitle(absl::StrCat(field, ".title"), section.title());
    if (section.questions().empty()) Error(absl::StrCat(field, ".questions"), "want at least one");
    const RoutingProgram* ask = CheckRouting(absl::StrCat(field, ".ask"), section.ask(), index);
    const bool reachable = CheckReachable(absl::StrCat(field, ".ask"), {ask}, "nobody can reach this section");
    for (int q = 0; q < section.questions_size(); ++q, ++index) {
      CheckQuestion(absl::StrCat(field, ".questions[", q, "]"), section.questions(q), index, ask, reachable);
    }
    return index;
  }

  void CheckQuestion(const std::string& field, const v1::Question& question, QuestionIndex index, const RoutingProgram* section_ask,
                     bool section_reachable) {
    question_ = question.code();
    CheckCode(absl::StrCat(field, ".code"), question.code(), codes_);
    if (!question.code().empty() && !IsLetter(question.code().front())) Error(absl::StrCat(field, ".code"), "want a letter first");
    CheckTitle(absl::StrCat(field, ".title"), question.title());
    if (question.type() == v1::QUESTION_TYPE_UNSPECIFIED || !v1::QuestionType_IsValid(question.type())) {
      // Without it, what belongs in the question cannot be told.
      Error(absl::StrCat(field, ".type"), "want a type");
    } else {
      CheckOptions(field, question);
      CheckRows(field, question);
      CheckOther(field, question);
      CheckBounds(field, question);
      CheckRole(field, question);
    }
    CheckComparability(field, question.comparability());

    const RoutingProgram* ask = CheckRouting(absl::StrCat(field, ".ask"), question.ask(), index);
    routing_.push_back({section_ask, ask});
    if (section_reachable && ask != nullptr)
      CheckReachable(absl::StrCat(field, ".ask"), {section_ask, ask}, "nobody can reach this question");
    question_.clear();
  }

  void CheckOptions(const std::string& field, const v1::Question& question) {
    const bool wanted = TakesOptions(question.type());
    if (wanted && question.options().empty()) Error(absl::StrCat(field, ".options"), "want at least one");
    if (!wanted && !question.options().empty()) Error(absl::StrCat(field, ".options"), "this type of question has none");
    if (question.options_size() > kMaxChoices) Error(absl::StrCat(field, ".options"), "more than ", kMaxChoices);
    std::set<std::string> codes;
    for (int i = 0; i < question.options_size(); ++i)
      CheckOption(absl::StrCat(field, ".options[", i, "]"), question, question.options(i), codes);
    if (IsConsent(question.role()) &&
        std::none_of(question.options().begin(), question.options().end(), [](const v1::Option& o) { return o.consents(); })) {
      Error(absl::StrCat(field, ".options"), "none of them consents: mark one");
    }
    const std::string max_field = absl::StrCat(field, ".max_choices");
    if (question.max_choices() != 0 && question.type() != v1::QUESTION_TYPE_MULTIPLE) {
      Error(max_field, "only a multiple question has a maximum");
    } else if (question.max_choices() < 0 || question.max_choices() > question.options_size()) {
      Error(max_field, question.max_choices(), ", want at most the number of options, ", question.options_size());
    }
  }

  void CheckOption(const std::string& field, const v1::Question& question, const v1::Option& option, std::set<std::string>& codes) {
    CheckCode(absl::StrCat(field, ".code"), option.code(), codes);
    CheckTitle(absl::StrCat(field, ".label"), option.label());
    if (option.exclusive() && question.type() != v1::QUESTION_TYPE_MULTIPLE)
      Error(absl::StrCat(field, ".exclusive"), "only options of a multiple question exclude others");
    if (option.comment() && !TakesSelection(question.type()))
      Error(absl::StrCat(field, ".comment"), "only options of single and multiple questions take a comment");
    if (option.consents() && !IsConsent(question.role())) Error(absl::StrCat(field, ".consents"), "the question has no consent role");
    const bool ranged = option.has_inhabitants_from() || option.has_inhabitants_to();
    if (ranged && question.role() != v1::QUESTION_ROLE_SIZE_CLASS)
      Error(absl::StrCat(field, ".inhabitants_from"), "the question does not have role size_class");
    if (option.inhabitants_from() < 0 || (option.has_inhabitants_to() && option.inhabitants_to() < option.inhabitants_from())) {
      Error(absl::StrCat(field, ".inhabitants_from"), "want 0 or more, and no more than the upper end");
    }
    CheckComparability(field, option.comparability());
  }

  void CheckRows(const std::string& field, const v1::Question& question) {
    const bool matrix = question.type() == v1::QUESTION_TYPE_MATRIX;
    if (matrix && question.rows().empty()) Error(absl::StrCat(field, ".rows"), "want at least one");
    if (!matrix && !question.rows().empty()) Error(absl::StrCat(field, ".rows"), "only a matrix has rows");
    if (question.rows_size() > kMaxChoices) Error(absl::StrCat(field, ".rows"), "more than ", kMaxChoices);
    std::set<std::string> codes;
    for (int i = 0; i < question.rows_size(); ++i) {
      CheckCode(absl::StrCat(field, ".rows[", i, "].code"), question.rows(i).code(), codes);
      CheckTitle(absl::StrCat(field, ".rows[", i, "].label"), question.rows(i).label());
    }
  }

  void CheckOther(const std::string& field, const v1::Question& question) {
    const bool open = question.type() == v1::QUESTION_TYPE_TEXT || !question.other_code().empty();
    if (question.coded() && !open) Error(absl::StrCat(field, ".coded"), "only texts are coded afterwards");
    if (question.other_code().empty()) return;
    const bool known = std::any_of(question.options().begin(), question.options().end(),
                                   [&](const v1::Option& o) { return o.code() == question.other_code(); });
    if (!TakesSelection(question.type())) {
      Error(absl::StrCat(field, ".other_code"), "only single and multiple questions take another answer");
    } else if (!known) {
      Error(absl::StrCat(field, ".other_code"), "\"", question.other_code(), "\" is not an option");
    }
  }

  void CheckBounds(const std::string& field, const v1::Question& question) {
    const bool bounded = question.has_minimum() || question.has_maximum();
    if (bounded && question.type() != v1::QUESTION_TYPE_NUMBER) Error(absl::StrCat(field, ".minimum"), "only a number has bounds");
    const bool finite = std::isfinite(question.minimum()) && std::isfinite(question.maximum());
    if (!finite || (question.has_minimum() && question.has_maximum() && question.minimum() > question.maximum())) {
      Error(absl::StrCat(field, ".minimum"), "want finite bounds, and a minimum that is not above the maximum");
    }
  }

  void CheckRole(const std::string& field, const v1::Question& question) {
    const v1::QuestionRole role = question.role();
    const std::string role_field = absl::StrCat(field, ".role");
    if (role == v1::QUESTION_ROLE_UNSPECIFIED) return;
    if (!v1::QuestionRole_IsValid(role)) return Error(role_field, "not a role");
    if (!roles_.insert(role).second) Error(role_field, "another question has it already");
    const bool naming = role == v1::QUESTION_ROLE_MUNICIPALITY || role == v1::QUESTION_ROLE_RESPONDENT;
    if (naming && question.type() != v1::QUESTION_TYPE_TEXT) Error(role_field, "want a text question");
    if (!naming && question.type() != v1::QUESTION_TYPE_SINGLE) Error(role_field, "want a single question");
    if (role == v1::QUESTION_ROLE_MUNICIPALITY && question.personal())
      Error(role_field, "what names the municipality cannot be personal: cleaning needs it");
    if (role == v1::QUESTION_ROLE_RESPONDENT && !question.personal()) Error(role_field, "the name of a person must be marked personal");
  }

  void CheckComparability(const std::string& field, const google::protobuf::RepeatedPtrField<v1::Comparability>& statements) {
    std::set<std::string> waves;
    for (int i = 0; i < statements.size(); ++i) {
      const std::string at = absl::StrCat(field, ".comparability[", i, "]");
      const v1::Comparability& statement = statements[i];
      if (!names::IsId(statement.wave()) || !waves.insert(statement.wave()).second)
        Error(absl::StrCat(at, ".wave"), "want a wave, and each once");
      if (statement.status() == v1::COMPARABILITY_STATUS_UNSPECIFIED) Error(absl::StrCat(at, ".status"), "want same, comparable or broken");
      if (statement.status() != v1::COMPARABILITY_STATUS_SAME && statement.reason().empty())
        Error(absl::StrCat(at, ".reason"), "want the reason");
    }
  }

  void CheckCode(const std::string& field, const std::string& code, std::set<std::string>& codes) {
    if (!IsCode(code)) {
      Error(field, "\"", code, "\", want letters, digits and '_', at most ", kMaxCode);
    } else if (!codes.insert(code).second) {
      Error(field, "\"", code, "\" stands here twice");
    }
  }

  void CheckTitle(const std::string& field, const std::string& title) {
    if (title.empty()) Error(field, "\"\", want non-empty");
    if (title.size() > kMaxTitle) Error(field, "longer than ", kMaxTitle, " bytes");
  }

  // Null when there is no routing, or none that can be understood.
  const RoutingProgram* CheckRouting(const std::string& field, const std::string& text, QuestionIndex before) {
    if (text.empty()) return nullptr;
    const auto routing = Routing::Parse(text);
    if (!routing.ok()) {
      Error(field, routing.status().message());
      return nullptr;
    }
    std::vector<RoutingProgram::Problem> problems;
    programs_.push_back(RoutingProgram::Bind(**routing, table_, before, problems));
    for (const auto& problem : problems) Error(field, "column ", problem.column, ": ", problem.message);
    return problems.empty() ? &programs_.back() : nullptr;
  }

  bool CheckReachable(const std::string& field, const std::vector<const RoutingProgram*>& conditions, const std::string& message) {
    const std::optional<bool> reachable = CanHold(conditions, table_, routing_);
    if (reachable.value_or(true)) return true;
    Warning(field, message, ": no allowed answers make this hold");
    return false;
  }

  template <typename... Parts>
  void Error(const std::string& field, const Parts&... message) {
    findings_.push_back({field, question_, true, absl::StrCat(message...)});
  }
  template <typename... Parts>
  void Warning(const std::string& field, const Parts&... message) {
    findings_.push_back({field, question_, false, absl::StrCat(message...)});
  }

  const v1::Questionnaire& questionnaire_;
  const QuestionTable table_;
  // Code of the question under check.
  std::string question_;
  std::set<std::string> codes_;
  std::set<int> roles_;
  // Of the questions before the one under check. A deque keeps programs in place.
  std::vector<QuestionRouting> routing_;
  std::deque<RoutingProgram> programs_;
  std::vector<Finding> findings_;
};

}  // namespace

bool IsLanguage(const std::string& tag) {
  return tag.size() >= 2 && tag.size() <= 35 && IsLetter(tag.front()) &&
         std::all_of(tag.begin(), tag.end(), [](char c) { return IsLetter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

std::vector<Finding> CheckQuestionnaire(const v1::Questionnaire& questionnaire) { return Checker(questionnaire).Run(); }

}  // namespace peiling::survey
