#include "services/common/yaml/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "services/common/text/fold.h"

namespace peiling::yaml {
namespace {

constexpr size_t kMaxBytes = 2 << 20;
constexpr size_t kMaxDepth = 100;
constexpr int kMaxAliases = 1000;
constexpr size_t kMaxNodes = 500'000;

// Thrown by the builder through the parser and caught with the parser's own errors.
[[noreturn]] void Refuse(const YAML::Mark& mark, const std::string& message) { throw YAML::ParserException(mark, message); }

// Builds the tree from the parser's events.
class Builder : public YAML::EventHandler {
 public:
  // `lines` of the text, for columns in characters.
  explicit Builder(std::vector<std::string_view> lines) : lines_(std::move(lines)) {}

  NodePtr root() const { return root_; }

  Place PlaceOf(const YAML::Mark& mark) const {
    Place place{std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
    if (IsBehindTheEnd(mark)) place = {static_cast<int>(lines_.size()), static_cast<int>(lines_.back().size()) + 1};
    // The parser counts bytes.
    const std::string_view before = lines_[place.line - 1].substr(0, place.column - 1);
    place.column = 1 + static_cast<int>(std::count_if(before.begin(), before.end(),
                                                      [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
    return place;
  }

  bool IsBehindTheEnd(const YAML::Mark& mark) const { return mark.line >= static_cast<int>(lines_.size()); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_ != nullptr) Refuse(mark, "a second document begins here: want one for each file");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Put(mark, anchor, Make(mark, TreeNode::Kind::kNull)); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (++aliases_ > kMaxAliases) Refuse(mark, absl::StrCat("more than ", kMaxAliases, " uses of aliases"));
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Refuse(mark, "the alias stands inside what it is an alias of");
    Add(mark, found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    auto node = Make(mark, TreeNode::Kind::kScalar);
    node->text = value;
    // "!" is how the parser says that the text stood in quotes.
    node->quoted = tag == "!";
    Put(mark, anchor, std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Open(mark, anchor, TreeNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Open(mark, anchor, TreeNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A list or map that is being read.
  struct OpenNode {
    std::shared_ptr<TreeNode> node;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    NodePtr key;
    std::set<std::string> keys;
  };

  std::shared_ptr<TreeNode> Make(const YAML::Mark& mark, TreeNode::Kind kind) const {
    auto node = std::make_shared<TreeNode>();
    node->kind = kind;
    node->place = PlaceOf(mark);
    node->expanded_size = 1;
    return node;
  }

  void Open(const YAML::Mark& mark, YAML::anchor_t anchor, TreeNode::Kind kind) {
    if (open_.size() >= kMaxDepth) Refuse(mark, absl::StrCat("more than ", kMaxDepth, " levels deep"));
    open_.push_back({Make(mark, kind), mark, anchor, nullptr, {}});
  }

  void Close() {
    OpenNode closed = std::move(open_.back());
    open_.pop_back();
    Put(closed.mark, closed.anchor, std::move(closed.node));
  }

  void Put(const YAML::Mark& mark, YAML::anchor_t anchor, std::shared_ptr<TreeNode> node) {
    if (anchor != 0) anchors_[anchor] = node;
    Add(mark, std::move(node));
  }

  // Puts a finished node where it belongs.
  void Add(const YAML::Mark& mark, NodePtr node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    OpenNode& parent = open_.back();
    parent.node->expanded_size += node->expanded_size;
    if (parent.node->expanded_size > kMaxNodes) Refuse(mark, "too much of it: aliases written out, it is more than 500,000 values");
    if (parent.node->kind == TreeNode::Kind::kList) {
      parent.node->items.push_back(std::move(node));
    } else if (parent.key == nullptr) {
      AddKey(mark, parent, std::move(node));
    } else {
      parent.node->entries.emplace_back(std::move(parent.key), std::move(node));
      parent.key = nullptr;
    }
  }

  static void AddKey(const YAML::Mark& mark, OpenNode& parent, NodePtr key) {
    if (key->kind != TreeNode::Kind::kScalar) Refuse(mark, "want a text as key");
    if (!parent.keys.insert(key->text).second) Refuse(mark, absl::StrCat("\"", key->text, "\" stands here twice"));
    parent.key = std::move(key);
  }

  std::vector<std::string_view> lines_;
  std::vector<OpenNode> open_;
  std::map<YAML::anchor_t, NodePtr> anchors_;
  int aliases_ = 0;
  NodePtr root_;
};

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::optional<Problem> CheckCharacters(const std::vector<std::string_view>& lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const int line = static_cast<int>(i) + 1;
    if (!text::IsValidUtf8(lines[i])) return Problem{{line, 1}, "not UTF-8: save the file in that encoding"};
    const bool control =
        std::any_of(lines[i].begin(), lines[i].end(), [](char c) { return (c >= 0 && c < ' ' && c != '\t' && c != '\r') || c == 0x7F; });
    if (control) return Problem{{line, 1}, "there is a control character on this line"};
  }
  return std::nullopt;
}

}  // namespace

std::variant<NodePtr, Problem> Parse(std::string_view text) {
  if (text.size() > kMaxBytes) return Problem{{1, 1}, "larger than 2 MiB"};
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  std::vector<std::string_view> lines = Lines(text);
  if (auto problem = CheckCharacters(lines)) return *std::move(problem);

  Builder builder(std::move(lines));
  try {
    // The mark of a document's end: without it, the parser takes a quoted text that is never closed for closed.
    std::istringstream stream{absl::StrCat(absl::string_view(text.data(), text.size()), "\n...\n")};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    return Problem{builder.PlaceOf(error.mark),
                   builder.IsBehindTheEnd(error.mark) ? "the document ends in the middle of a value" : error.msg};
  } catch (const std::exception& error) {
    return Problem{{1, 1}, error.what()};
  }
  if (builder.root() == nullptr || builder.root()->kind == TreeNode::Kind::kNull) return Problem{{1, 1}, "empty: want a document"};
  return builder.root();
}

}  // namespace peiling::yaml
