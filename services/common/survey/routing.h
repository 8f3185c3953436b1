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

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/survey/v1/answers.pb.h"
#include "peiling/survey/v1/questionnaire.pb.h"

namespace peiling::survey {

// A parsed expression. Immutable.
class Routing {
 public:
  // INVALID_ARGUMENT/ROUTING_INVALID; metadata `column` (from 1, in characters) says where, the message what was expected. At most 2,000 characters and 100 levels deep.
  static absl::StatusOr<std::shared_ptr<const Routing>> Parse(std::string_view text);

  // "both hold".
  static std::shared_ptr<const Routing> And(std::shared_ptr<const Routing> left, std::shared_ptr<const Routing> right);

  ~Routing();

  struct Node;
  const Node& root() const { return *root_; }

  // A test in the expression, for checks against the questionnaire.
  struct Reference {
    std::string question;
    std::string row;
    // Option code; empty for answered() and comparisons with numbers and dates.
    std::string option;
    int column = 0;
  };
  // In the order they stand in the text.
  const std::vector<Reference>& references() const { return references_; }

 private:
  Routing();
  std::unique_ptr<Node> root_;
  std::vector<Reference> references_;
};

}  // namespace peiling::survey
