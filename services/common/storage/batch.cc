#include "services/common/storage/batch.h"

#include <unordered_set>

#include "absl/strings/escaping.h"
#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

constexpr size_t kMaxBytes = 256 << 20;

absl::Status Invalid(std::string_view reason, std::string_view message) {
  return status::Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status CheckBytes(size_t bytes) {
  if (bytes <= kMaxBytes) return absl::OkStatus();
  return Invalid("BATCH_TOO_LARGE", "a batch of " + std::to_string(bytes) + " bytes is too large");
}

template <typename Keyed>
absl::Status CheckKeys(const std::vector<Keyed>& all) {
  if (all.size() < 2) return absl::OkStatus();
  std::unordered_set<std::string_view> keys;
  for (const Keyed& one : all) {
    if (!keys.insert(one.key).second) return Invalid("DUPLICATE_KEY", "a batch writes one key twice");
  }
  return absl::OkStatus();
}

absl::Status Conflict(const std::string& partition, const std::string& what, const std::string& why) {
  const std::string name = absl::CHexEscape(partition);
  return status::Error(absl::StatusCode::kFailedPrecondition, "RESTORE_CONFLICT", what + " of partition " + name + " " + why,
                       {{"partition", name}});
}

}  // namespace

size_t BytesOf(const Batch& batch) {
  size_t bytes = 0;
  for (const Write& write : batch.writes) bytes += write.key.size() + (write.value ? write.value->size() : 0);
  for (const std::string& event : batch.events) bytes += event.size();
  return bytes;
}

size_t BytesOf(const std::vector<SavedDocument>& documents, const std::vector<FeedEvent>& events) {
  size_t bytes = 0;
  for (const SavedDocument& document : documents) bytes += document.key.size() + (document.value ? document.value->size() : 0);
  for (const FeedEvent& event : events) bytes += event.value.size();
  return bytes;
}

absl::Status CheckBatch(const Batch& batch) {
  for (const Write& write : batch.writes) {
    if (write.event && *write.event >= batch.events.size())
      return Invalid("NO_SUCH_EVENT", "a write names an event that its batch has not");
  }
  absl::Status status = CheckBytes(BytesOf(batch));
  if (status.ok()) status = CheckKeys(batch.writes);
  return status;
}

absl::Status CheckRestore(const std::vector<SavedDocument>& documents, const std::vector<FeedEvent>& events) {
  for (const SavedDocument& document : documents) {
    if (document.version == 0) return Invalid("NO_VERSION", "a saved document has no version");
  }
  absl::Status status = CheckBytes(BytesOf(documents, events));
  if (status.ok()) status = CheckKeys(documents);
  return status;
}

absl::Status ConcurrentChange(const std::string& partition) {
  return status::Error(absl::StatusCode::kAborted, "CONCURRENT_CHANGE", "something else was changed at the same time; try again",
                       {{"partition", partition}});
}

absl::Status DocumentConflict(const std::string& partition, const std::string& key) {
  return Conflict(partition, "document " + absl::CHexEscape(key), "stands there already with other content");
}

absl::Status EventConflict(const std::string& partition, uint64_t sequence) {
  return Conflict(partition, "event " + std::to_string(sequence), "differs from what stands there or does not follow the last");
}

}  // namespace peiling::storage
