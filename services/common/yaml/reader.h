// Reads maps of a YAML tree key by key, and tells everything that is wrong with its place.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/common/yaml/tree.h"

namespace peiling::yaml {

// One document under reading: collects problems, and remembers where fields of the message under construction came from. Not thread-safe.
class Document {
 public:
  Document(std::string_view filename, status::BadRequest& bad) : filename_(filename), bad_(bad) {}

  template <typename... Parts>
  void Fail(const Place& place, const Parts&... message) {
    Add(place, absl::StrCat(message...));
  }

  bool ok() const { return failed_.empty(); }
  bool FailedAt(const Place& place) const { return failed_.contains(place); }

  // Fields are paths: "sections[2].questions[0].ask".
  void Remember(const std::string& field, const Place& place) { places_.insert_or_assign(field, place); }
  // Where a field, or the nearest thing around it, stands.
  Place PlaceOf(std::string field) const;

 private:
  // A file that is wrong from end to end needs no longer list.
  static constexpr size_t kMaxProblems = 100;

  void Add(const Place& place, const std::string& message);

  const std::string filename_;
  status::BadRequest& bad_;
  std::set<Place> failed_;
  std::map<std::string, Place> places_;
};

enum class Need { kOptional, kRequired };

// A name in YAML and what it stands for.
template <typename Enum>
using Words = std::vector<std::pair<std::string_view, Enum>>;

// One map. Ask for its keys, then Finish: keys never asked for are unknown. Of keys that are absent, empty values are returned. Points into
// tree and document.
class Map {
 public:
  // `path` is the field the map is for; "" for the document. A node of another kind is told and read as an empty map.
  Map(const TreeNode& node, std::string path, Document& document);

  // The value of a key, null when it is not there. `field` is what the key is for in the message, when it has another name there.
  const TreeNode* Find(std::string_view key, Need need = Need::kOptional, std::string_view field = {});

  std::string Text(std::string_view key, Need need = Need::kOptional);
  // An id in a resource name.
  std::string Id(std::string_view key, Need need = Need::kOptional);
  // YYYY-MM-DD.
  std::string Date(std::string_view key, Need need = Need::kOptional);
  bool Flag(std::string_view key);
  std::optional<int64_t> Integer(std::string_view key, std::string_view field = {});
  std::optional<double> Number(std::string_view key, std::string_view field = {});
  const std::vector<NodePtr>& List(std::string_view key, Need need = Need::kOptional);
  // Texts of a list.
  std::vector<const TreeNode*> Texts(std::string_view key);
  // Keys and values of a map whose keys are names, not known ones.
  const std::vector<std::pair<NodePtr, NodePtr>>& Entries(std::string_view key);

  template <typename Enum>
  Enum Word(std::string_view key, const Words<Enum>& words, Need need = Need::kOptional) {
    const TreeNode* node = Scalar(key, need);
    if (node == nullptr) return Enum{};
    std::string known;
    for (const auto& [word, value] : words) {
      if (node->text == word) return value;
      absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(word));
    }
    document_.Fail(node->place, "\"", node->text, "\", want one of ", known);
    return Enum{};
  }

  void Finish();

  const TreeNode& node() const { return node_; }
  const std::string& path() const { return path_; }
  Document& document() const { return document_; }

 private:
  // A text value; anything else is told.
  const TreeNode* Scalar(std::string_view key, Need need, std::string_view field = {});

  const TreeNode& node_;
  const std::string path_;
  Document& document_;
  std::vector<std::string> known_;
};

// The value of one node, told when it is not one.
std::string ReadText(const TreeNode& node, Document& document);
std::optional<int64_t> ReadInteger(const TreeNode& node, Document& document);

}  // namespace peiling::yaml
