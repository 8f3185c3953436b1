// What every store asks of a batch and of a restore before it looks at what is stored. Private to this library.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/common/storage/store.h"

namespace peiling::storage {

// Bytes that a commit or a restore takes to the store.
size_t BytesOf(const Batch& batch);
size_t BytesOf(const std::vector<SavedDocument>& documents, const std::vector<FeedEvent>& events);

// INVALID_ARGUMENT: DUPLICATE_KEY, NO_SUCH_EVENT (Write::event beyond Batch::events) or BATCH_TOO_LARGE.
absl::Status CheckBatch(const Batch& batch);
// INVALID_ARGUMENT: DUPLICATE_KEY, NO_VERSION (of a document) or BATCH_TOO_LARGE.
absl::Status CheckRestore(const std::vector<SavedDocument>& documents, const std::vector<FeedEvent>& events);

// ABORTED/CONCURRENT_CHANGE: a condition of a commit does not hold.
absl::Status ConcurrentChange(const std::string& partition);
// FAILED_PRECONDITION/RESTORE_CONFLICT, naming the document or event ("document k", "event 7") and its partition.
absl::Status DocumentConflict(const std::string& partition, const std::string& key);
absl::Status EventConflict(const std::string& partition, uint64_t sequence);

}  // namespace peiling::storage
