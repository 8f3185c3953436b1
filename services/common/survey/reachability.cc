#include "services/common/survey/reachability.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace peiling::survey {
namespace {

constexpr size_t kMaxCombinations = 20'000;
// Options of one multiple question that routing tells apart; each doubles the combinations.
constexpr size_t kMaxOptions = 12;

using Kind = RoutingNode::Kind;
using Test = RoutingProgram::Test;

// A question that conditions depend on: the tests of it, and the answers worth telling apart (the first is none at all).
struct Dependency {
  std::vector<const Test*> tests;
  std::vector<std::optional<v1::Answer>> choices;
};

// All single options; none when there are rows.
void AddSingle(const v1::Question& question, Dependency& dependency) {
  for (const v1::Option& option : question.options()) {
    v1::Answer answer;
    answer.mutable_selection()->add_codes(option.code());
    dependency.choices.emplace_back(std::move(answer));
  }
}

bool Allowed(const v1::Question& question, const v1::Selection& chosen) {
  if (question.max_choices() > 0 && chosen.codes_size() > question.max_choices()) return false;
  return chosen.codes_size() <= 1 || std::none_of(question.options().begin(), question.options().end(), [&](const v1::Option& option) {
           return option.exclusive() && std::find(chosen.codes().begin(), chosen.codes().end(), option.code()) != chosen.codes().end();
         });
}

// Every set of the options the tests name; an option they do not name stands for all others.
bool AddMultiple(const v1::Question& question, Dependency& dependency) {
  std::set<std::string> named;
  for (const Test* test : dependency.tests) {
    if (test->kind == Kind::kIn) named.insert(test->value);
  }
  for (const v1::Option& option : question.options()) {
    if (!option.exclusive() && !named.contains(option.code())) {
      named.insert(option.code());
      break;
    }
  }
  if (named.empty() && question.options_size() > 0) named.insert(question.options(0).code());
  if (named.size() > kMaxOptions) return false;
  for (uint32_t set = 1; set < (1u << named.size()); ++set) {
    v1::Answer answer;
    uint32_t bit = 1;
    for (const std::string& code : named) {
      if ((set & bit) != 0) answer.mutable_selection()->add_codes(code);
      bit <<= 1;
    }
    if (Allowed(question, answer.selection())) dependency.choices.emplace_back(std::move(answer));
  }
  return true;
}

// Every option in every row the tests name, row by row; a row may stay open.
bool AddMatrix(const v1::Question& question, Dependency& dependency) {
  std::set<std::string> rows;
  for (const Test* test : dependency.tests) rows.insert(test->row.empty() ? question.rows(0).code() : test->row);
  std::vector<v1::Answer> answers(1);
  for (const std::string& row : rows) {
    std::vector<v1::Answer> extended = answers;
    for (const v1::Answer& answer : answers) {
      for (const v1::Option& option : question.options()) {
        v1::Cell& cell = *extended.emplace_back(answer).mutable_grid()->add_cells();
        cell.set_row(row);
        cell.set_option(option.code());
      }
    }
    if (extended.size() > kMaxCombinations) return false;
    answers = std::move(extended);
  }
  for (size_t i = 1; i < answers.size(); ++i) dependency.choices.emplace_back(std::move(answers[i]));
  return true;
}

// The numbers compared with and one between and beyond each: comparisons cannot tell more apart.
void AddNumbers(const v1::Question& question, Dependency& dependency) {
  std::set<double> numbers = {question.has_minimum() ? question.minimum() : 0, question.has_maximum() ? question.maximum() : 0};
  for (const Test* test : dependency.tests) numbers.insert(test->number);
  std::set<double> tried = {*numbers.begin() - 1, *numbers.rbegin() + 1};
  for (auto it = numbers.begin(); it != numbers.end(); ++it) {
    tried.insert(*it);
    if (std::next(it) != numbers.end()) tried.insert((*it + *std::next(it)) / 2);
  }
  for (const double number : tried) {
    if ((question.has_minimum() && number < question.minimum()) || (question.has_maximum() && number > question.maximum())) continue;
    v1::Answer answer;
    answer.set_number(number);
    dependency.choices.emplace_back(std::move(answer));
  }
}

// Days are compared as texts, so texts just before and after do.
void AddDates(Dependency& dependency) {
  std::set<std::string> dates = {"0001-01-01", "9999-12-31"};
  for (const Test* test : dependency.tests) {
    if (test->kind != Kind::kAnswered) dates.insert({test->value, absl::StrCat(test->value, "~")});
  }
  for (const std::string& date : dates) {
    v1::Answer answer;
    answer.set_date(date);
    dependency.choices.emplace_back(std::move(answer));
  }
}

bool AddChoices(const v1::Question& question, Dependency& dependency) {
  dependency.choices.emplace_back();
  switch (question.type()) {
    case v1::QUESTION_TYPE_SINGLE:
      AddSingle(question, dependency);
      return true;
    case v1::QUESTION_TYPE_MULTIPLE:
      return AddMultiple(question, dependency);
    case v1::QUESTION_TYPE_MATRIX:
      return question.rows().empty() || AddMatrix(question, dependency);
    case v1::QUESTION_TYPE_NUMBER:
      AddNumbers(question, dependency);
      return true;
    case v1::QUESTION_TYPE_DATE:
      AddDates(dependency);
      return true;
    default:
      dependency.choices.emplace_back(v1::Answer()).value().set_text("x");
      return true;
  }
}

bool Holds(const RoutingProgram* program, const std::vector<KnownAnswer>& known) {
  return program == nullptr || program->Evaluate(known) == Truth::kTrue;
}

class Search {
 public:
  Search(const std::vector<const RoutingProgram*>& conditions, const QuestionTable& table, const std::vector<QuestionRouting>& routing)
      : conditions_(conditions), routing_(routing), known_(table.questions().size()) {
    for (const RoutingProgram* program : conditions) Depend(program);
    size_t combinations = 1;
    for (auto& [index, dependency] : dependencies_) {
      if (!AddChoices(*table.questions()[index].question, dependency)) combinations = kMaxCombinations + 1;
      combinations = std::min(combinations * dependency.choices.size(), kMaxCombinations + 1);
    }
    feasible_ = combinations <= kMaxCombinations;
  }

  bool feasible() const { return feasible_; }
  bool Run() { return Try(dependencies_.begin()); }

 private:
  void Depend(const RoutingProgram* program) {
    if (program == nullptr) return;
    for (const Test& test : program->tests()) {
      if (test.question == kNoQuestion) continue;
      const bool known = dependencies_.contains(test.question);
      dependencies_[test.question].tests.push_back(&test);
      if (known) continue;
      Depend(routing_[test.question].section);
      Depend(routing_[test.question].question);
    }
  }

  // Questions are tried in their order, so what the routing of one looks at is settled before it.
  bool Try(std::map<QuestionIndex, Dependency>::const_iterator next) {
    if (next == dependencies_.end())
      return std::all_of(conditions_.begin(), conditions_.end(), [&](const RoutingProgram* p) { return Holds(p, known_); });
    const auto& [index, dependency] = *next;
    const QuestionRouting& routing = routing_[index];
    const bool asked = Holds(routing.section, known_) && Holds(routing.question, known_);
    for (const auto& choice : dependency.choices) {
      known_[index].answer = choice ? &*choice : nullptr;
      if (Try(std::next(next))) return true;
      // The first choice is silence, the only one for who is not asked.
      if (!asked) break;
    }
    known_[index].answer = nullptr;
    return false;
  }

  const std::vector<const RoutingProgram*>& conditions_;
  const std::vector<QuestionRouting>& routing_;
  std::map<QuestionIndex, Dependency> dependencies_;
  std::vector<KnownAnswer> known_;
  bool feasible_ = false;
};

}  // namespace

std::optional<bool> CanHold(const std::vector<const RoutingProgram*>& conditions, const QuestionTable& table,
                            const std::vector<QuestionRouting>& routing) {
  Search search(conditions, table, routing);
  if (!search.feasible()) return std::nullopt;
  return search.Run();
}

}  // namespace peiling::survey
