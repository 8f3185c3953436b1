// The store on SQLite: one file, one process. Private to this library; use OpenStore.
//
// All writing is done by one thread that puts the commits of everybody who waits into one transaction; reading by a few connections
// beside it. What is deleted or replaced is gone from the file and its log some seconds later. The table of partitions, with the last
// sequence of each feed, is kept in memory.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "services/common/storage/sqlite.h"
#include "services/common/storage/store.h"

namespace peiling::storage {

// Keeps other stores, of this process or another, from a file. Released when it is destroyed or the process dies.
class FileLock {
 public:
  // UNAVAILABLE/STORAGE_IN_USE when another has it.
  static absl::StatusOr<FileLock> Take(const std::string& path);
  FileLock() = default;
  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileLock();

 private:
  int descriptor_ = -1;
};

class SqliteStore final : public Store {
 public:
  // A store in a file, created for `owner` when missing.
  static absl::StatusOr<std::unique_ptr<Store>> OpenFile(const std::string& path, const std::string& owner);
  // An empty store in memory.
  static absl::StatusOr<std::unique_ptr<Store>> OpenMemory();

  ~SqliteStore() override;

  absl::StatusOr<CommitResult> Commit(Batch batch) override;
  absl::StatusOr<std::optional<Document>> Get(const std::string& partition, const std::string& key) override;
  absl::StatusOr<std::vector<std::optional<Document>>> GetMany(const std::string& partition, const std::vector<std::string>& keys) override;
  absl::StatusOr<std::vector<Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                             size_t limit) override;
  absl::StatusOr<uint64_t> Count(const std::string& partition, const std::string& prefix) override;
  absl::StatusOr<std::vector<std::string>> Partitions(const std::string& prefix) override;
  absl::StatusOr<std::vector<FeedEvent>> ReadFeed(const std::string& partition, uint64_t after_sequence, size_t limit) override;
  absl::StatusOr<uint64_t> LastSequence(const std::string& partition) override;
  absl::StatusOr<bool> WaitFeed(const std::string& partition, uint64_t after_sequence, std::chrono::milliseconds timeout) override;
  // Nothing to do: readers see only what is durable.
  absl::Status Confirm(const std::string&) override { return absl::OkStatus(); }
  absl::Status Health() override;
  absl::StatusOr<std::vector<SavedDocument>> Save(const std::string& partition, const std::string& after, size_t limit) override;
  absl::Status Restore(const std::string& partition, const std::vector<SavedDocument>& documents,
                       const std::vector<FeedEvent>& events) override;
  void Interrupt() override;

 private:
  struct Partition {
    int64_t id = 0;
    uint64_t last_sequence = 0;
  };
  using PartitionMap = std::unordered_map<std::string, Partition>;

  // What a caller of Restore brought.
  struct Saved {
    const std::vector<SavedDocument>& documents;
    const std::vector<FeedEvent>& events;
  };
  // A caller of Commit or of Restore, waiting.
  struct Pending {
    Batch batch;
    std::optional<Saved> saved;  // In place of what the batch holds.
    absl::StatusOr<CommitResult> result;
  };
  // Those whose commits become one transaction. `done` is waited for by all of them, so that one wake-up reaches them.
  struct Group {
    std::vector<Pending*> members;
    size_t bytes = 0;
    std::atomic<uint32_t> done = 0;
  };
  // What stands under a key; version 0 and row 0: nothing ever stood there.
  struct Found {
    int64_t row = 0;
    uint64_t version = 0;
    bool exists = false;
  };
  // What is to stand under a key; no value: deleted.
  struct Content {
    const std::optional<std::string>& value;
    uint64_t version = 0;
    uint64_t sequence = 0;
  };
  struct Writer {
    Connection db;
    Statement begin, commit, rollback, find, insert, update, append, create_partition, document, event;
  };
  struct Reader {
    Connection db;
    Statement begin, end, get, list, count, save, feed;
  };
  // A reader taken from the pool, given back at the end of its scope.
  class ReaderLease;

  SqliteStore(FileLock lock, std::string file, int flags);
  absl::Status Prepare(const std::string& owner);
  absl::Status PrepareSchema(const std::string& owner);
  absl::Status CheckFile(const std::string& owner);
  absl::Status PrepareWriter();
  absl::Status PrepareReaders();
  absl::Status LoadPartitions();

  // Nothing when the partition holds nothing.
  std::optional<Partition> Find(const std::string& partition);

  absl::StatusOr<CommitResult> Enqueue(Pending pending, size_t bytes);
  void RunWriter();
  // Waits for a group, and once there is one up to `linger` for it to become as large as the last.
  std::shared_ptr<Group> NextGroup(std::chrono::microseconds linger);
  void Checkpoint();
  // Empties the log, which still has what was deleted or replaced; tried again soon when somebody is reading.
  void Scrub();
  void CommitGroup(const std::vector<Pending*>& members);
  absl::Status CommitTransaction(const std::vector<Pending*>& members);
  // A failed condition goes to the member's result; an error of the storage is returned.
  absl::Status Apply(Pending& member);
  absl::Status ApplyBatch(Pending& member, Partition& partition);
  absl::Status ApplySaved(Pending& member, Partition& partition);
  absl::StatusOr<Found> FindDocument(const Partition& partition, const std::string& key);
  // `row` is the document's, 0 when it has none.
  absl::Status Put(const std::string& name, Partition& partition, const std::string& key, int64_t row, const Content& content);
  absl::Status Append(const std::string& name, Partition& partition, const std::string& event);
  // Gives a new partition its row.
  absl::Status Ensure(const std::string& name, Partition& partition);
  // Whether exactly this stands there.
  absl::StatusOr<bool> Stands(const Found& found, const SavedDocument& document);
  absl::StatusOr<bool> Stands(const Partition& partition, const FeedEvent& event);
  void Publish();
  void SetHealth(absl::Status health);

  const FileLock lock_;
  const std::string file_;
  const int flags_;

  // The writer thread's own.
  Writer writer_;
  PartitionMap changed_;  // Of the transaction under way.
  int64_t last_partition_id_ = 0;
  int log_pages_ = 0;
  bool replaced_ = false;                           // Something was, since the log was last emptied.
  std::chrono::steady_clock::time_point scrub_at_;  // When to empty it then.

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::deque<std::shared_ptr<Group>> queue_;
  size_t queued_ = 0;
  size_t wanted_ = 0;  // Size of the last group.
  bool stopping_ = false;

  std::mutex health_mutex_;
  absl::Status health_;  // Changed by the writer thread alone.

  std::mutex partitions_mutex_;
  // Waiters of a feed share one with few others: who waits for a quiet feed is not woken for every commit.
  std::array<std::condition_variable, 64> feed_changed_;
  PartitionMap partitions_;
  bool interrupted_ = false;

  std::mutex readers_mutex_;
  std::condition_variable reader_free_;
  std::vector<std::unique_ptr<Reader>> readers_;

  std::thread thread_;
};

}  // namespace peiling::storage
