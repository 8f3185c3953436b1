#include "services/common/survey/routing_program.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"

namespace peiling::survey {
namespace {

using Kind = RoutingNode::Kind;

bool IsEquality(Kind kind) { return kind == Kind::kEqual || kind == Kind::kNotEqual; }

Truth FromBool(bool holds) { return holds ? Truth::kTrue : Truth::kFalse; }

template <typename Value>
bool Compare(Kind kind, const Value& left, const Value& right) {
  switch (kind) {
    case Kind::kEqual:
      return left == right;
    case Kind::kNotEqual:
      return left != right;
    case Kind::kLess:
      return left < right;
    case Kind::kLessOrEqual:
      return left <= right;
    case Kind::kGreater:
      return left > right;
    default:
      return left >= right;
  }
}

}  // namespace

class RoutingProgram::Binder {
 public:
  Binder(const QuestionTable& table, QuestionIndex before, std::vector<Problem>& problems, std::vector<Test>& tests)
      : table_(table), before_(before), problems_(problems), tests_(tests) {}

  Node Bind(const RoutingNode& node) {
    Node bound{node.kind, {}, -1};
    if (node.parts.empty()) {
      bound.test = static_cast<int>(tests_.size());
      tests_.push_back(BindTest(node));
    }
    for (const RoutingNode& part : node.parts) bound.parts.push_back(Bind(part));
    return bound;
  }

 private:
  Test BindTest(const RoutingNode& node) {
    Test test{node.kind, table_.Find(node.question), node.row, node.value, 0};
    const size_t problems = problems_.size();
    if (test.question == kNoQuestion) {
      Problem(node.question_column, "there is no question ", node.question);
    } else if (test.question >= before_) {
      Problem(node.question_column, node.question, " is not put before this; routing can only look back");
    } else {
      CheckTest(table_.questions()[test.question], node, test);
    }
    if (problems_.size() > problems) test.question = kNoQuestion;
    return test;
  }

  void CheckTest(const CompiledQuestion& compiled, const RoutingNode& node, Test& test) {
    const v1::Question& question = *compiled.question;
    if (question.personal()) {
      Problem(node.question_column, node.question, " is personal, and stays with intake: nobody else could tell who was asked");
    }
    if (!node.row.empty() && question.type() != v1::QUESTION_TYPE_MATRIX) {
      Problem(node.row_column, node.question, " has no rows");
    } else if (node.kind == Kind::kIn) {
      CheckIn(compiled, node);
    } else if (node.kind != Kind::kAnswered) {
      CheckComparison(compiled, node, test);
    }
  }

  void CheckIn(const CompiledQuestion& compiled, const RoutingNode& node) {
    if (compiled.question->type() == v1::QUESTION_TYPE_MULTIPLE) return CheckOption(compiled, node);
    if (compiled.question->type() == v1::QUESTION_TYPE_SINGLE) {
      Problem(node.question_column, node.question, " takes one option: write ", node.question, " == ", node.value);
    } else {
      Problem(node.question_column, node.question, " is not a question that takes several options");
    }
  }

  void CheckComparison(const CompiledQuestion& compiled, const RoutingNode& node, Test& test) {
    switch (compiled.question->type()) {
      case v1::QUESTION_TYPE_NUMBER:
        if (!absl::SimpleAtod(node.value, &test.number))
          Problem(node.value_column, node.question, " is a number: \"", node.value, "\" is not");
        break;
      case v1::QUESTION_TYPE_DATE:
        if (!names::IsDate(node.value))
          Problem(node.value_column, node.question, " is a date: \"", node.value, "\" is not a day, want YYYY-MM-DD");
        break;
      case v1::QUESTION_TYPE_SINGLE:
        CheckOrder(node);
        CheckOption(compiled, node);
        break;
      case v1::QUESTION_TYPE_MATRIX:
        CheckOrder(node);
        if (node.row.empty()) {
          Problem(node.question_column, node.question, " has rows: write ", node.question, ".row == ", node.value);
        } else if (compiled.RowOf(node.row) < 0) {
          Problem(node.row_column, node.question, " has no row ", node.row);
        }
        CheckOption(compiled, node);
        break;
      case v1::QUESTION_TYPE_MULTIPLE:
        Problem(node.question_column, node.question, " takes several options: write ", node.value, " in ", node.question);
        break;
      default:
        Problem(node.question_column, node.question, " is text: only answered(", node.question, ") can be asked of it");
    }
  }

  void CheckOrder(const RoutingNode& node) {
    if (!IsEquality(node.kind)) Problem(node.question_column, "options of ", node.question, " have no order: want == or !=");
  }

  void CheckOption(const CompiledQuestion& compiled, const RoutingNode& node) {
    if (compiled.OptionOf(node.value) < 0) Problem(node.value_column, node.question, " has no option ", node.value);
  }

  template <typename... Parts>
  void Problem(int column, const Parts&... message) {
    problems_.push_back({column, absl::StrCat(message...)});
  }

  const QuestionTable& table_;
  const QuestionIndex before_;
  std::vector<RoutingProgram::Problem>& problems_;
  std::vector<Test>& tests_;
};

RoutingProgram RoutingProgram::Bind(const Routing& routing, const QuestionTable& table, QuestionIndex before,
                                    std::vector<Problem>& problems) {
  RoutingProgram program;
  program.root_ = Binder(table, before, problems, program.tests_).Bind(routing.root());
  return program;
}

Truth RoutingProgram::Evaluate(const Node& node, const std::vector<KnownAnswer>& answers) const {
  if (node.kind == Kind::kNot) return static_cast<Truth>(2 - static_cast<int>(Evaluate(node.parts.front(), answers)));
  if (node.parts.empty()) {
    const Test& test = tests_[node.test];
    return test.question == kNoQuestion ? Truth::kFalse : EvaluateTest(test, answers[test.question]);
  }
  // The end of the scale that settles it: false for "and", true for "or".
  const bool all = node.kind == Kind::kAnd;
  const Truth settled = all ? Truth::kFalse : Truth::kTrue;
  Truth result = all ? Truth::kTrue : Truth::kFalse;
  for (const Node& part : node.parts) {
    const Truth truth = Evaluate(part, answers);
    if (truth == settled) return settled;
    result = all ? std::min(result, truth) : std::max(result, truth);
  }
  return result;
}

Truth RoutingProgram::EvaluateTest(const Test& test, const KnownAnswer& known) const {
  if (known.answer == nullptr) return known.open ? Truth::kUnknown : Truth::kFalse;
  const v1::Answer& answer = *known.answer;
  if (test.kind == Kind::kAnswered) return Truth::kTrue;
  switch (answer.value_case()) {
    case v1::Answer::kNumber:
      return FromBool(Compare(test.kind, answer.number(), test.number));
    case v1::Answer::kDate:
      return FromBool(Compare(test.kind, answer.date(), test.value));
    case v1::Answer::kGrid:
      for (const v1::Cell& cell : answer.grid().cells()) {
        if (cell.row() == test.row) return FromBool(Compare(test.kind, cell.option(), test.value));
      }
      return Truth::kFalse;
    case v1::Answer::kSelection:
      if (test.kind != Kind::kIn) return FromBool(Compare(test.kind, answer.selection().codes(0), test.value));
      return FromBool(std::find(answer.selection().codes().begin(), answer.selection().codes().end(), test.value) !=
                      answer.selection().codes().end());
    default:
      return Truth::kFalse;
  }
}

}  // namespace peiling::survey
