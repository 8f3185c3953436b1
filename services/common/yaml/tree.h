// YAML as a tree with places, within bounds.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace peiling::yaml {

// Line and column, from 1, in characters.
struct Place {
  int line = 1;
  int column = 1;

  bool operator<(const Place& other) const { return std::tie(line, column) < std::tie(other.line, other.column); }
};

struct TreeNode;
using NodePtr = std::shared_ptr<const TreeNode>;

// Immutable once read. What an alias stands for is shared.
struct TreeNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  Place place;
  // kScalar: the text, and whether it stood in quotes (then it is no number or truth value).
  std::string text;
  bool quoted = false;
  // kList.
  std::vector<NodePtr> items;
  // kMap, in the order written; keys are scalars, each once.
  std::vector<std::pair<NodePtr, NodePtr>> entries;
  // Nodes below this one, as if aliases were written out.
  size_t expanded_size = 0;
};

struct Problem {
  Place place;
  std::string message;
};

// The one document of a text of at most 2 MiB, 100 levels deep, with at most 1,000 uses of aliases and 500,000 nodes when those are written
// out. Two keys that are the same, text that is not UTF-8 and control characters are problems; the first one found is told. Never throws.
std::variant<NodePtr, Problem> Parse(std::string_view text);

}  // namespace peiling::yaml
