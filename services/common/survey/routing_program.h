// A routing expression bound to a questionnaire: its names are looked up once, so that it is cheap to run for millions of responses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/common/survey/question_table.h"
#include "services/common/survey/routing.h"

namespace peiling::survey {

// A test of a question the respondent did not reach is neither true nor false.
enum class Truth : uint8_t { kFalse = 0, kUnknown = 1, kTrue = 2 };

// What is known of one question while routing runs.
struct KnownAnswer {
  // The answer that counts; null: none.
  const v1::Answer* answer = nullptr;
  // Not reached: an answer could still come.
  bool open = false;
};

// Immutable, so thread-safe.
class RoutingProgram {
 public:
  // Something that cannot be: an unknown question, row or option, one that comes at or after `before`, a personal one, a comparison that
  // makes no sense.
  struct Problem {
    int column = 0;
    std::string message;
  };

  // Binds an expression that stands before question `before` of a table, which it points into. Tests with a problem are never true.
  static RoutingProgram Bind(const Routing& routing, const QuestionTable& table, QuestionIndex before, std::vector<Problem>& problems);

  // `answers` by question index.
  Truth Evaluate(const std::vector<KnownAnswer>& answers) const { return Evaluate(root_, answers); }

  // The tests of the expression, for who wants to know what it hangs on.
  struct Test {
    RoutingNode::Kind kind = RoutingNode::Kind::kAnswered;
    // kNoQuestion when there was a problem.
    QuestionIndex question = kNoQuestion;
    // Row and option code, or the date.
    std::string row;
    std::string value;
    double number = 0;
  };
  const std::vector<Test>& tests() const { return tests_; }

 private:
  struct Node {
    RoutingNode::Kind kind = RoutingNode::Kind::kAnd;
    std::vector<Node> parts;
    int test = -1;
  };

  class Binder;

  Truth Evaluate(const Node& node, const std::vector<KnownAnswer>& answers) const;
  Truth EvaluateTest(const Test& test, const KnownAnswer& known) const;

  Node root_;
  std::vector<Test> tests_;
};

}  // namespace peiling::survey
