// The routing language: small expressions over answers that say who is asked what.
//
//   expression = or
//   or         = and { "||" and }
//   and        = not { "&&" not }
//   not        = "!" not | "(" expression ")" | test
//   test       = "answered" "(" CODE ")"          the question has an answer
//              | CODE "==" VALUE | CODE "!=" VALUE  single: the chosen option (an open question is neither); matrix: CODE "." ROW
//              | VALUE "in" CODE                    multiple: the option is among the chosen
//              | CODE ("<"|"<="|">"|">="|"=="|"!=") NUMBER   number questions; DATE (YYYY-MM-DD) for date questions
//
// A comparison with a question that has no answer is false, whatever the operator: write answered() to ask for silence.
// Example: Q5 == ja && !(niets in Q12)
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace peiling::survey {

// A piece of an expression, as written: whether its names exist is for RoutingProgram to say.
struct RoutingNode {
  enum class Kind { kOr, kAnd, kNot, kAnswered, kIn, kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

  Kind kind = Kind::kAnd;
  // kOr, kAnd: two or more; kNot: one; tests: none.
  std::vector<RoutingNode> parts;
  // Tests: the question, the row where one is written, and what it is compared with (option code, number or date; empty for kAnswered).
  std::string question;
  std::string row;
  std::string value;
  // Where these stand, from 1, in characters.
  int question_column = 0;
  int row_column = 0;
  int value_column = 0;
};

// A parsed expression. Immutable, so thread-safe.
class Routing {
 public:
  static constexpr int kMaxCharacters = 2000;
  static constexpr int kMaxDepth = 100;

  // INVALID_ARGUMENT/ROUTING_INVALID; metadata `column` (from 1, in characters) says where, the message what was expected. At most 2,000
  // characters and 100 levels deep.
  static absl::StatusOr<std::shared_ptr<const Routing>> Parse(std::string_view text);

  const RoutingNode& root() const { return root_; }

 private:
  explicit Routing(RoutingNode root) : root_(std::move(root)) {}
  RoutingNode root_;
};

}  // namespace peiling::survey
