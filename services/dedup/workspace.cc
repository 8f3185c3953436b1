#include "services/dedup/workspace.h"

#include <cstdlib>
#include <utility>

#include "services/common/log/log.h"

namespace peiling::dedup {
namespace {

constexpr size_t kListPage = 1000;

}  // namespace

absl::Status Workspace::Load(const std::vector<std::string>& keys) {
  std::vector<std::string> missing;
  for (const std::string& key : keys) {
    if (!entries_.contains(key)) missing.push_back(key);
  }
  if (missing.empty()) return absl::OkStatus();
  auto found = store_.GetMany(partition_, missing);
  if (!found.ok()) return found.status();
  for (size_t i = 0; i < missing.size(); ++i) Add(missing[i], std::move((*found)[i]));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Workspace::LoadAll(const std::string& prefix) {
  std::vector<std::string> keys;
  while (true) {
    auto page = store_.List(partition_, prefix, keys.empty() ? "" : keys.back(), kListPage);
    if (!page.ok()) return page.status();
    for (storage::Document& document : *page) {
      keys.push_back(document.key);
      Add(keys.back(), std::move(document));
    }
    if (page->size() < kListPage) return keys;
  }
}

std::vector<storage::Write> Workspace::Writes() const {
  std::vector<storage::Write> writes;
  for (const auto& [key, entry] : entries_) {
    if (entry.before != entry.after) writes.push_back({.key = key, .value = entry.after, .expected_version = entry.version});
  }
  return writes;
}

Workspace::Entry& Workspace::At(const std::string& key) { return const_cast<Entry&>(std::as_const(*this).At(key)); }

const Workspace::Entry& Workspace::At(const std::string& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    log::Error("dedup uses a document it has not loaded", {{"key", key}});
    std::abort();
  }
  return found->second;
}

void Workspace::Add(const std::string& key, std::optional<storage::Document> document) {
  Entry entry;
  if (document.has_value()) {
    entry.before = std::move(document->value);
    entry.after = entry.before;
    entry.version = document->version;
  }
  entries_.emplace(key, std::move(entry));
}

}  // namespace peiling::dedup
