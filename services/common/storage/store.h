// The storage port: documents with a version and an append-only feed, committed atomically together (the transactional outbox).
//
// A store is divided into partitions, named by their owner (e.g. "surveys/s/waves/w"). A commit touches one partition. Every
// partition has its own feed with sequences 1, 2, 3 … without gaps. Keys and values are bytes; keys sort bytewise.
//
// Several processes may use one store when it is a server (Redis): commits of all of them are ordered by the partition.
//
// Errors of every method: UNAVAILABLE/STORAGE_UNAVAILABLE (may be retried), RESOURCE_EXHAUSTED/STORAGE_FULL, DATA_LOSS/STORAGE_CORRUPT.
// Keys that grow with time are cheaper to write than random ones. Thread-safe; destroyed after the last call has returned. An OK answer of
// Commit means durable: it survives kill -9 and power loss.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace peiling::storage {

// A stored value. Its version is 1 when first put and one more with every put after that; never reused, also not after a delete.
struct Document {
  std::string key;
  std::string value;
  uint64_t version = 0;
  // Sequence of the event it was last written with (Write::event); 0: of none.
  uint64_t sequence = 0;
};

// One change to a document.
struct Write {
  std::string key;
  // The new value; nullopt deletes.
  std::optional<std::string> value;
  // The version the document must have now; 0: it must not exist; nullopt: whatever it is.
  std::optional<uint64_t> expected_version;
  // Position in Batch::events of the event whose sequence the document takes; nullopt: none.
  std::optional<size_t> event = std::nullopt;
};

// What is committed together, or not at all.
struct Batch {
  std::string partition;
  // At most one for each key.
  std::vector<Write> writes;
  // A condition without a change: the document must have this version (0: must not exist).
  std::vector<std::pair<std::string, uint64_t>> expectations;
  // Events to append to the feed, in this order. Their sequences are the store's to give: they need not hold them.
  std::vector<std::string> events;
};

// What a commit gave.
struct CommitResult {
  // Sequence of the first event appended; 0 when none was.
  uint64_t first_sequence = 0;
  // Last sequence of the partition's feed after the commit.
  uint64_t last_sequence = 0;
};

struct FeedEvent {
  uint64_t sequence = 0;
  std::string value;
};

// A document as a backup holds it.
struct SavedDocument {
  std::string key;
  // nullopt: deleted; what is left is its version.
  std::optional<std::string> value;
  uint64_t version = 0;
  uint64_t sequence = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // ABORTED/CONCURRENT_CHANGE when a condition does not hold: nothing is changed then. Commits of concurrent callers are grouped
  // into one durable write; each succeeds or fails by itself. RESOURCE_EXHAUSTED/STORAGE_BUSY when too many wait already,
  // INVALID_ARGUMENT/DUPLICATE_KEY, NO_SUCH_EVENT or BATCH_TOO_LARGE (256 MiB) for a mistake of the caller.
  virtual absl::StatusOr<CommitResult> Commit(Batch batch) = 0;

  // The document, or nullopt when there is none.
  virtual absl::StatusOr<std::optional<Document>> Get(const std::string& partition, const std::string& key) = 0;

  // The documents of `keys`, in their order, as of one moment.
  virtual absl::StatusOr<std::vector<std::optional<Document>>> GetMany(const std::string& partition,
                                                                       const std::vector<std::string>& keys) = 0;

  // Up to `limit` documents whose key begins with `prefix` and sorts after `after` (empty: from the first), by key.
  virtual absl::StatusOr<std::vector<Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                     size_t limit) = 0;

  // How many documents there are whose key begins with `prefix`.
  virtual absl::StatusOr<uint64_t> Count(const std::string& partition, const std::string& prefix) = 0;

  // Partitions that were ever written to and whose name begins with `prefix`, by name.
  virtual absl::StatusOr<std::vector<std::string>> Partitions(const std::string& prefix) = 0;

  // Up to `limit` events after a sequence, in order. Fewer when they are large (4 MiB together); none only at the end of the feed.
  virtual absl::StatusOr<std::vector<FeedEvent>> ReadFeed(const std::string& partition, uint64_t after_sequence, size_t limit) = 0;

  // Last sequence of the feed; 0 when it is empty.
  virtual absl::StatusOr<uint64_t> LastSequence(const std::string& partition) = 0;

  // Waits until the feed goes beyond `after_sequence` (true) or `timeout` has passed (false). UNAVAILABLE/SHUTTING_DOWN once Interrupt
  // was called.
  virtual absl::StatusOr<bool> WaitFeed(const std::string& partition, uint64_t after_sequence, std::chrono::milliseconds timeout) = 0;

  // OK when everything read from the partition before is durable. To be called before an answer that promises durability is given on the
  // strength of something read (a receipt): a store whose commits become visible before they are safe makes them safe first. Feeds show
  // nothing that is not durable.
  virtual absl::Status Confirm(const std::string& partition) = 0;

  // Whether the store can be read and written, as last seen: OK or what the next commit is expected to say. Does not block.
  virtual absl::Status Health() = 0;

  // For backups: up to `limit` documents whose key sorts after `after` (empty: from the first), deleted ones too, by key. Fewer when they
  // are large (4 MiB together); none only at the end.
  virtual absl::StatusOr<std::vector<SavedDocument>> Save(const std::string& partition, const std::string& after, size_t limit) = 0;
  // Puts documents and events of a backup as they were, with versions and sequences. Documents may come in any order and number of calls,
  // events in their order. FAILED_PRECONDITION/RESTORE_CONFLICT when a document stands there already with other content or an event
  // does not follow the last: nothing is changed then. The same once more is no conflict, so that a restore that broke off is run again.
  // INVALID_ARGUMENT for a mistake of the caller, as in Commit. Durable when OK.
  virtual absl::Status Restore(const std::string& partition, const std::vector<SavedDocument>& documents,
                               const std::vector<FeedEvent>& events) = 0;

  // Wakes everybody in WaitFeed, now and from now on. For shutting down.
  virtual void Interrupt() = 0;
};

// Opens a store by its address: "sqlite:PATH" (created when missing; "sqlite::memory:" for tests) or a Redis (redis_address.h).
// `name` keeps the data of several owners apart in one Redis ("intake", "dedup"); a file has one owner.
// A file belongs to one store of one process: UNAVAILABLE/STORAGE_IN_USE when another has it open. INVALID_ARGUMENT/STORAGE_ADDRESS for
// another address, FAILED_PRECONDITION/STORAGE_VERSION for data of another version of the program and STORAGE_OWNER for a file of another
// owner; else the store's errors.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(const std::string& address, const std::string& name);

}  // namespace peiling::storage
