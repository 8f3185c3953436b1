#include "services/common/survey/routing.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::survey {
namespace {

using Kind = RoutingNode::Kind;

// Longer ones first: "<=" is not "<" and "=".
constexpr std::array<std::pair<std::string_view, Kind>, 6> kComparisons = {{{"==", Kind::kEqual},
                                                                            {"!=", Kind::kNotEqual},
                                                                            {"<=", Kind::kLessOrEqual},
                                                                            {">=", Kind::kGreaterOrEqual},
                                                                            {"<", Kind::kLess},
                                                                            {">", Kind::kGreater}}};

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsCodeCharacter(char c) { return IsLetter(c) || (c >= '0' && c <= '9') || c == '_'; }
bool IsValueCharacter(char c) { return IsCodeCharacter(c) || c == '-' || c == '.'; }

int Characters(std::string_view text) {
  int count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

// Recursive descent over the text itself: what a word is depends on where it stands ("2022-09-05" is one value, "Q41.ggz" a question and a
// row). Functions return false once something is wrong; `error_` then says what.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<RoutingNode> Parse() {
    RoutingNode root;
    if (Characters(text_) > Routing::kMaxCharacters) {
      Fail("the expression is longer than ", Routing::kMaxCharacters, " characters");
    } else if (Or(root) && !AtEnd()) {
      Fail("expected '&&', '||' or the end");
    }
    if (error_) return *std::move(error_);
    return root;
  }

 private:
  bool Or(RoutingNode& node) { return Chain("||", Kind::kOr, &Parser::And, node); }
  bool And(RoutingNode& node) { return Chain("&&", Kind::kAnd, &Parser::Not, node); }

  // Parts between operators; a single part stands for itself.
  bool Chain(std::string_view op, Kind kind, bool (Parser::*parse_part)(RoutingNode&), RoutingNode& node) {
    std::vector<RoutingNode> parts;
    do {
      if (!(this->*parse_part)(parts.emplace_back())) return false;
    } while (Take(op));
    if (parts.size() == 1) {
      node = std::move(parts.front());
    } else {
      node.kind = kind;
      node.parts = std::move(parts);
    }
    return true;
  }

  bool Not(RoutingNode& node) {
    const bool negated = Take("!");
    if (!negated && !Take("(")) return Test(node);
    if (++depth_ > Routing::kMaxDepth) return Fail("the expression is more than ", Routing::kMaxDepth, " levels deep");
    if (negated) {
      node.kind = Kind::kNot;
      if (!Not(node.parts.emplace_back())) return false;
    } else {
      if (!Or(node)) return false;
      if (!Take(")")) return Fail("expected '&&', '||' or ')'");
    }
    --depth_;
    return true;
  }

  bool Test(RoutingNode& node) {
    int column = 0;
    const std::string word = Word(IsCodeCharacter, column);
    if (word.empty()) return Fail("expected a question, an option before 'in', 'answered(', '!' or '('");
    if (word == "answered" && Take("(")) return Answered(node);
    if (TakeIn()) {
      node.kind = Kind::kIn;
      node.value = word;
      node.value_column = column;
      return Question(node);
    }
    if (!IsLetter(word.front())) return FailAt(column, "expected a question (its code begins with a letter) or 'in' after an option");
    node.question = word;
    node.question_column = column;
    return Comparison(node);
  }

  bool Answered(RoutingNode& node) {
    node.kind = Kind::kAnswered;
    if (!Question(node)) return false;
    return Take(")") || Fail("expected ')'");
  }

  bool Question(RoutingNode& node) {
    node.question = Word(IsCodeCharacter, node.question_column);
    return (!node.question.empty() && IsLetter(node.question.front())) || FailAt(node.question_column, "expected a question");
  }

  bool Comparison(RoutingNode& node) {
    if (Take(".")) {
      node.row = Word(IsCodeCharacter, node.row_column);
      if (node.row.empty()) return Fail("expected a row");
    }
    for (const auto& [op, kind] : kComparisons) {
      if (!Take(op)) continue;
      node.kind = kind;
      node.value = Word(IsValueCharacter, node.value_column);
      return !node.value.empty() || Fail("expected an option, a number or a date");
    }
    return Fail("expected '==', '!=', '<', '<=', '>', '>='", node.row.empty() ? ", 'in' or '.'" : "");
  }

  void SkipSpace() {
    while (position_ < text_.size() &&
           (text_[position_] == ' ' || text_[position_] == '\t' || text_[position_] == '\n' || text_[position_] == '\r')) {
      ++position_;
    }
  }

  bool AtEnd() {
    SkipSpace();
    return position_ == text_.size();
  }

  bool Take(std::string_view symbol) {
    SkipSpace();
    if (text_.substr(position_, symbol.size()) != symbol) return false;
    // "!=" begins with "!", but is no "not".
    if (symbol == "!" && text_.substr(position_, 2) == "!=") return false;
    position_ += symbol.size();
    return true;
  }

  bool TakeIn() {
    SkipSpace();
    if (text_.substr(position_, 2) != "in" || (position_ + 2 < text_.size() && IsCodeCharacter(text_[position_ + 2]))) return false;
    position_ += 2;
    return true;
  }

  std::string Word(bool (*belongs)(char), int& column) {
    SkipSpace();
    column = Column();
    const size_t begin = position_;
    while (position_ < text_.size() && belongs(text_[position_])) ++position_;
    return std::string(text_.substr(begin, position_ - begin));
  }

  int Column() const { return Characters(text_.substr(0, position_)) + 1; }

  template <typename... Parts>
  bool Fail(const Parts&... message) {
    SkipSpace();
    return FailAt(Column(), message...);
  }

  template <typename... Parts>
  bool FailAt(int column, const Parts&... message) {
    error_ = status::Error(absl::StatusCode::kInvalidArgument, "ROUTING_INVALID", absl::StrCat("column ", column, ": ", message...),
                           {{"column", std::to_string(column)}});
    return false;
  }

  std::string_view text_;
  size_t position_ = 0;
  int depth_ = 0;
  std::optional<absl::Status> error_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Routing>> Routing::Parse(std::string_view text) {
  absl::StatusOr<RoutingNode> root = Parser(text).Parse();
  if (!root.ok()) return root.status();
  return std::shared_ptr<const Routing>(new Routing(*std::move(root)));
}

}  // namespace peiling::survey
