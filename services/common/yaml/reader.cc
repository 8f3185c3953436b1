#include "services/common/yaml/reader.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"

namespace peiling::yaml {
namespace {

using Kind = TreeNode::Kind;

const TreeNode kEmptyMap{Kind::kMap};

std::string Join(const std::string& path, std::string_view field) {
  return path.empty() ? std::string(field) : absl::StrCat(path, ".", std::string(field));
}

}  // namespace

void Document::Add(const Place& place, const std::string& message) {
  if (failed_.size() > kMaxProblems) return;
  failed_.insert(place);
  const bool last = failed_.size() > kMaxProblems;
  bad_.Add(absl::StrCat(filename_, ":", place.line, ":", place.column), last ? "from here on there is more that is wrong" : message);
}

Place Document::PlaceOf(std::string field) const {
  while (true) {
    const auto found = places_.find(field);
    if (found != places_.end()) return found->second;
    const size_t cut = field.find_last_of(".[");
    if (cut == std::string::npos) break;
    field.resize(cut);
  }
  const auto root = places_.find("");
  return root == places_.end() ? Place() : root->second;
}

Map::Map(const TreeNode& node, std::string path, Document& document)
    : node_(node.kind == Kind::kMap ? node : kEmptyMap), path_(std::move(path)), document_(document) {
  document_.Remember(path_, node.place);
  if (node.kind != Kind::kMap) document_.Fail(node.place, "want keys with values");
}

const TreeNode* Map::Find(std::string_view key, Need need, std::string_view field) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  for (const auto& [name, value] : node_.entries) {
    if (name->text != key) continue;
    // "key:" with nothing behind it is as good as absent, but its place is known.
    document_.Remember(Join(path_, field.empty() ? key : field), value->place);
    if (value->kind != Kind::kNull) return value.get();
    if (need == Need::kRequired) document_.Fail(name->place, std::string(key), " is empty");
    return nullptr;
  }
  // A node that is no map has been told already.
  if (need == Need::kRequired && &node_ != &kEmptyMap) document_.Fail(node_.place, "\"", std::string(key), "\" is missing");
  return nullptr;
}

const TreeNode* Map::Scalar(std::string_view key, Need need, std::string_view field) {
  const TreeNode* node = Find(key, need, field);
  if (node == nullptr || node->kind == Kind::kScalar) return node;
  document_.Fail(node->place, std::string(key), ": want a single value");
  return nullptr;
}

std::string Map::Text(std::string_view key, Need need) {
  const TreeNode* node = Scalar(key, need);
  return node == nullptr ? "" : node->text;
}

std::string Map::Id(std::string_view key, Need need) {
  const TreeNode* node = Scalar(key, need);
  if (node == nullptr) return "";
  if (!names::IsId(node->text)) document_.Fail(node->place, "\"", node->text, "\", want 1 to 100 letters, digits, '-', '_', '.', '~'");
  return node->text;
}

std::string Map::Date(std::string_view key, Need need) {
  const TreeNode* node = Scalar(key, need);
  if (node == nullptr) return "";
  if (!names::IsDate(node->text)) document_.Fail(node->place, "\"", node->text, "\", want a day, YYYY-MM-DD");
  return node->text;
}

bool Map::Flag(std::string_view key) {
  const TreeNode* node = Scalar(key, Need::kOptional);
  if (node == nullptr) return false;
  if (!node->quoted && node->text == "true") return true;
  if (node->quoted || node->text != "false") document_.Fail(node->place, "\"", node->text, "\", want true or false");
  return false;
}

std::optional<int64_t> Map::Integer(std::string_view key, std::string_view field) {
  const TreeNode* node = Find(key, Need::kOptional, field);
  return node == nullptr ? std::nullopt : ReadInteger(*node, document_);
}

std::optional<double> Map::Number(std::string_view key, std::string_view field) {
  const TreeNode* node = Scalar(key, Need::kOptional, field);
  if (node == nullptr) return std::nullopt;
  double number = 0;
  if (!node->quoted && absl::SimpleAtod(node->text, &number) && std::isfinite(number)) return number;
  document_.Fail(node->place, "\"", node->text, "\", want a number");
  return std::nullopt;
}

const std::vector<NodePtr>& Map::List(std::string_view key, Need need) {
  const TreeNode* node = Find(key, need);
  if (node == nullptr) return kEmptyMap.items;
  if (node->kind != Kind::kList) document_.Fail(node->place, std::string(key), ": want a list");
  return node->items;
}

std::vector<const TreeNode*> Map::Texts(std::string_view key) {
  std::vector<const TreeNode*> texts;
  for (const NodePtr& item : List(key)) {
    if (item->kind == Kind::kScalar) {
      texts.push_back(item.get());
    } else {
      document_.Fail(item->place, std::string(key), ": want a list of texts");
    }
  }
  return texts;
}

const std::vector<std::pair<NodePtr, NodePtr>>& Map::Entries(std::string_view key) {
  const TreeNode* node = Find(key);
  if (node == nullptr) return kEmptyMap.entries;
  if (node->kind != Kind::kMap) document_.Fail(node->place, std::string(key), ": want keys with values");
  return node->entries;
}

void Map::Finish() {
  for (const auto& [name, value] : node_.entries) {
    if (std::find(known_.begin(), known_.end(), name->text) != known_.end()) continue;
    document_.Fail(name->place, "\"", name->text, "\" is not known here; known are ", absl::StrJoin(known_, ", "));
  }
}

std::string ReadText(const TreeNode& node, Document& document) {
  if (node.kind != Kind::kScalar) document.Fail(node.place, "want a single value");
  return node.text;
}

std::optional<int64_t> ReadInteger(const TreeNode& node, Document& document) {
  int64_t number = 0;
  if (node.kind == Kind::kScalar && !node.quoted && absl::SimpleAtoi(node.text, &number)) return number;
  document.Fail(node.place, node.kind == Kind::kScalar ? absl::StrCat("\"", node.text, "\", ") : "", "want a whole number");
  return std::nullopt;
}

}  // namespace peiling::yaml
