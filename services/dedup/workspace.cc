#include "services/dedup/workspace.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "services/common/log/log.h"

namespace peiling::dedup {
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

void Workspace::PutWithEvent(const std::string& key, const google::protobuf::Message& message) {
  Put(key, message);
  At(key).with_event = true;
}

bool Workspace::Changed() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.written(); });
}

void Workspace::AddTo(storage::Batch& batch) const {
  for (const auto& [key, entry] : entries_) {
    if (!entry.written()) {
      batch.expectations.emplace_back(key, entry.version);
      continue;
    }
    storage::Write& write = batch.writes.emplace_back();
    write = {.key = key, .value = entry.after, .expected_version = entry.version};
    if (entry.with_event) write.event = batch.events.size() - 1;
  }
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
