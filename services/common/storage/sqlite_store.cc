#include "services/common/storage/sqlite_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "services/common/status/errors.h"
#include "services/common/storage/batch.h"

namespace peiling::storage {
namespace {

// "PEIL": tells our files from others.
constexpr int64_t kApplicationId = 0x5045494C;
// Rises when the tables change; a file with a higher one is of a newer program.
constexpr int64_t kSchemaVersion = 2;

// A deleted document keeps its row with value NULL, so that its versions are not used again. The id of an event is its partition's id
// and its sequence, so that a feed is one run of the table.
constexpr char kSchema[] = R"(
  CREATE TABLE owner (name BLOB NOT NULL);
  CREATE TABLE partitions (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
  CREATE TABLE documents (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, sequence INTEGER NOT NULL, value BLOB);
  CREATE UNIQUE INDEX documents_by_key ON documents (partition, key);
  CREATE TABLE feed (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
)";

// Also a small write that changes nothing.
std::string SetVersion() { return "PRAGMA user_version = " + std::to_string(kSchemaVersion); }

constexpr int kSequenceBits = 40;
constexpr uint64_t kMaxSequence = (uint64_t{1} << kSequenceBits) - 1;

constexpr size_t kReaders = 4;
constexpr size_t kMaxQueued = 512;
constexpr size_t kMaxGroup = 256;
constexpr size_t kMaxGroupBytes = 16 << 20;
// The most the writer waits for a group to fill, whatever the disk.
constexpr std::chrono::microseconds kMaxLinger(2000);
// The log is copied into the file when it has this many pages (16 MiB): often enough that a copy is short, seldom enough that pages
// changed by many commits are copied once.
constexpr int kCheckpointPages = 4096;
// How long the log keeps what was deleted or replaced, and how soon emptying it is tried again when somebody was reading.
constexpr std::chrono::seconds kScrubAfter(5);
constexpr std::chrono::seconds kScrubAgain(1);
constexpr size_t kMaxReadBytes = 4 << 20;
// How often a store that could not write tries whether it can again.
constexpr std::chrono::seconds kProbeInterval(1);

int64_t EventId(int64_t partition, uint64_t sequence) { return (partition << kSequenceBits) | static_cast<int64_t>(sequence); }

// The least key that sorts after this one; empty stays empty: the first of all.
std::string Following(const std::string& key) { return key.empty() ? key : key + '\0'; }

// Version, sequence and value stand in three columns from `column` on.
Document ReadDocument(std::string key, const Statement& row, int column) {
  return {std::move(key), std::string(row.Bytes(column + 2)), static_cast<uint64_t>(row.Number(column)),
          static_cast<uint64_t>(row.Number(column + 1))};
}

bool IsFull(const absl::Status& status) { return status.code() == absl::StatusCode::kResourceExhausted; }

// Creates the file and its folder; SQLite's own files beside it take over its mode.
absl::Status CreateFile(const std::string& path) {
  std::error_code error;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  const int descriptor = error ? -1 : open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    const std::string why = error ? error.message() : std::strerror(errno);
    return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "cannot open " + path + ": " + why);
  }
  close(descriptor);
  return absl::OkStatus();
}

}  // namespace

// ---- FileLock

absl::StatusOr<FileLock> FileLock::Take(const std::string& path) {
  // A file of its own: closing a second descriptor of the database would drop SQLite's locks on it.
  FileLock lock;
  lock.descriptor_ = open((path + "-lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock.descriptor_ < 0) {
    return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "cannot lock " + path + ": " + std::strerror(errno));
  }
  if (flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    return status::Error(absl::StatusCode::kUnavailable, "STORAGE_IN_USE", path + " is used by another process");
  }
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

// ---- Opening and closing

absl::StatusOr<std::unique_ptr<Store>> SqliteStore::OpenFile(const std::string& path, const std::string& owner) {
  if (absl::Status created = CreateFile(path); !created.ok()) return created;
  auto lock = FileLock::Take(path);
  if (!lock.ok()) return lock.status();
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(*lock), path, 0));
  if (absl::Status prepared = store->Prepare(owner); !prepared.ok()) return prepared;
  return store;
}

absl::StatusOr<std::unique_ptr<Store>> SqliteStore::OpenMemory() {
  static std::atomic<int> count = 0;
  // A name that begins with "/" is shared by the connections of this process.
  const std::string file = "file:/peiling-" + std::to_string(count++) + "?vfs=memdb";
  std::unique_ptr<SqliteStore> store(new SqliteStore(FileLock(), file, SQLITE_OPEN_URI));
  if (absl::Status prepared = store->Prepare(""); !prepared.ok()) return prepared;
  return store;
}

SqliteStore::SqliteStore(FileLock lock, std::string file, int flags)
    : lock_(std::move(lock)), file_(std::move(file)), flags_(flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX) {}

SqliteStore::~SqliteStore() {
  {
    std::lock_guard guard(queue_mutex_);
    stopping_ = true;
  }
  queue_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

absl::Status SqliteStore::Prepare(const std::string& owner) {
  auto db = Connect(file_, flags_ | SQLITE_OPEN_CREATE);
  if (!db.ok()) return db.status();
  writer_.db = std::move(*db);
  absl::Status status = PrepareSchema(owner);
  if (status.ok()) status = PrepareWriter();
  if (status.ok()) status = PrepareReaders();
  if (status.ok()) status = LoadPartitions();
  if (!status.ok()) return status;
  // Whoever had the file before may have been killed before it did.
  Scrub();
  thread_ = std::thread(&SqliteStore::RunWriter, this);
  return absl::OkStatus();
}

absl::Status SqliteStore::PrepareSchema(const std::string& owner) {
  sqlite3* db = writer_.db.get();
  auto tables = QueryText(db, "SELECT CAST(count(*) AS BLOB) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  const bool empty = *tables == "0";
  if (absl::Status checked = empty ? absl::OkStatus() : CheckFile(owner); !checked.ok()) return checked;
  absl::Status status = Execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON");
  if (!status.ok() || !empty) return status;
  status = Execute(
      db, std::string("BEGIN IMMEDIATE;") + kSchema + "PRAGMA application_id = " + std::to_string(kApplicationId) + "; " + SetVersion());
  if (!status.ok()) return status;
  if (status = Statement(db, "INSERT INTO owner (name) VALUES (?1)", status).Bind(1, owner).Run(); !status.ok()) return status;
  return Execute(db, "COMMIT");
}

absl::Status SqliteStore::CheckFile(const std::string& owner) {
  sqlite3* db = writer_.db.get();
  auto application = QueryText(db, "SELECT CAST(application_id AS BLOB) FROM pragma_application_id");
  if (!application.ok()) return application.status();
  if (*application != std::to_string(kApplicationId)) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", file_ + " is not a store of Peiling");
  }
  auto version = QueryText(db, "SELECT CAST(user_version AS BLOB) FROM pragma_user_version");
  if (!version.ok()) return version.status();
  if (*version != std::to_string(kSchemaVersion)) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "STORAGE_VERSION",
                         file_ + " has schema version " + *version + ", this program knows " + std::to_string(kSchemaVersion) +
                             ": run the program that wrote it, or begin anew without the file (deploy/quickstart --fresh)");
  }
  auto name = QueryText(db, "SELECT name FROM owner");
  if (!name.ok()) return name.status();
  if (*name == owner) return absl::OkStatus();
  return status::Error(absl::StatusCode::kFailedPrecondition, "STORAGE_OWNER", file_ + " is the store of " + *name + ", not of " + owner);
}

absl::Status SqliteStore::PrepareWriter() {
  sqlite3* db = writer_.db.get();
  // What is erased is overwritten with zeroes in the file. Debian's SQLite does so by itself, others' need to be told.
  absl::Status status = Execute(db, "PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 67108864; PRAGMA secure_delete = ON");
  // In place of SQLite's own checkpoints, which would make the callers of a commit wait.
  const auto note_pages = [](void* pages, sqlite3*, const char*, int count) {
    *static_cast<int*>(pages) = count;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db, note_pages, &log_pages_);
  writer_.begin = Statement(db, "BEGIN IMMEDIATE", status);
  writer_.commit = Statement(db, "COMMIT", status);
  writer_.rollback = Statement(db, "ROLLBACK", status);
  writer_.find = Statement(
      db, "SELECT id, version, typeof(value) <> 'null' FROM documents INDEXED BY documents_by_key WHERE partition = ?1 AND key = ?2",
      status);
  writer_.insert = Statement(db, "INSERT INTO documents (partition, key, version, sequence, value) VALUES (?1, ?2, ?3, ?4, ?5)", status);
  writer_.update = Statement(db, "UPDATE documents SET version = ?3, sequence = ?4, value = ?5 WHERE id = ?1", status);
  writer_.append = Statement(db, "INSERT INTO feed (id, value) VALUES (?1, ?2)", status);
  writer_.document = Statement(db, "SELECT version, sequence, value FROM documents WHERE id = ?1", status);
  writer_.event = Statement(db, "SELECT value FROM feed WHERE id = ?1", status);
  writer_.create_partition = Statement(db, "INSERT INTO partitions (id, name) VALUES (?1, ?2)", status);
  return status;
}

absl::Status SqliteStore::PrepareReaders() {
  for (size_t i = 0; i < kReaders; ++i) {
    auto reader = std::make_unique<Reader>();
    auto connection = Connect(file_, flags_);
    if (!connection.ok()) return connection.status();
    reader->db = std::move(*connection);
    sqlite3* db = reader->db.get();
    absl::Status status = Execute(db, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -16384");
    reader->begin = Statement(db, "BEGIN", status);
    reader->end = Statement(db, "COMMIT", status);
    reader->get =
        Statement(db, "SELECT version, sequence, value FROM documents WHERE partition = ?1 AND key = ?2 AND value IS NOT NULL", status);
    reader->list =
        Statement(db, "SELECT key, version, sequence, value FROM documents WHERE partition = ?1 AND key >= ?2 ORDER BY key", status);
    reader->count =
        Statement(db, "SELECT count(value) FROM documents WHERE (partition, key) >= (?1, ?2) AND (partition, key) < (?3, ?4)", status);
    reader->feed = Statement(db, "SELECT id, value FROM feed WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3", status);
    if (!status.ok()) return status;
    readers_.push_back(std::move(reader));
  }
  return absl::OkStatus();
}

absl::Status SqliteStore::LoadPartitions() {
  absl::Status status;
  Statement all(writer_.db.get(), "SELECT id, name FROM partitions", status);
  Statement last(writer_.db.get(), "SELECT max(id) FROM feed WHERE id > ?1 AND id <= ?2", status);
  if (!status.ok()) return status;
  auto row = all.Step();
  for (; row.ok() && *row; row = all.Step()) {
    Partition partition{.id = all.Number(0)};
    const int64_t empty_feed = EventId(partition.id, 0);
    auto found = last.Bind(1, empty_feed).Bind(2, EventId(partition.id, kMaxSequence)).Step();
    if (!found.ok()) return found.status();
    // max() of nothing is NULL, read as 0.
    if (last.Number(0) != 0) partition.last_sequence = static_cast<uint64_t>(last.Number(0) - empty_feed);
    last.Reset();
    last_partition_id_ = std::max(last_partition_id_, partition.id);
    partitions_.emplace(all.Bytes(1), partition);
  }
  return row.status();
}

// ---- Writing

absl::StatusOr<CommitResult> SqliteStore::Commit(Batch batch) {
  if (absl::Status checked = CheckBatch(batch); !checked.ok()) return checked;
  const size_t bytes = BytesOf(batch);
  return Enqueue({std::move(batch), std::nullopt, CommitResult()}, bytes);
}

absl::Status SqliteStore::Restore(const std::string& partition, const std::vector<SavedDocument>& documents,
                                  const std::vector<FeedEvent>& events) {
  if (absl::Status checked = CheckRestore(documents, events); !checked.ok()) return checked;
  return Enqueue({{partition}, Saved{documents, events}, CommitResult()}, BytesOf(documents, events)).status();
}

absl::StatusOr<CommitResult> SqliteStore::Enqueue(Pending pending, size_t bytes) {
  std::shared_ptr<Group> group;
  bool wake = false;
  {
    std::lock_guard guard(queue_mutex_);
    if (queued_ >= kMaxQueued) {
      return status::Error(absl::StatusCode::kResourceExhausted, "STORAGE_BUSY", "too many commits are waiting; try again later");
    }
    if (queue_.empty() || queue_.back()->members.size() >= kMaxGroup || queue_.back()->bytes + bytes > kMaxGroupBytes) {
      queue_.push_back(std::make_shared<Group>());
    }
    group = queue_.back();
    group->members.push_back(&pending);
    group->bytes += bytes;
    ++queued_;
    wake = queued_ == 1 || queued_ == wanted_;
  }
  if (wake) queue_changed_.notify_one();
  group->done.wait(0);
  return std::move(pending.result);
}

void SqliteStore::RunWriter() {
  std::chrono::microseconds linger(0);
  while (std::shared_ptr<Group> group = NextGroup(linger)) {
    const auto begin = std::chrono::steady_clock::now();
    CommitGroup(group->members);
    const auto took = std::chrono::steady_clock::now() - begin;
    linger = std::min(std::chrono::duration_cast<std::chrono::microseconds>(took) / 4, kMaxLinger);
    group->done.store(1);
    group->done.notify_all();
    Checkpoint();
  }
}

std::shared_ptr<SqliteStore::Group> SqliteStore::NextGroup(std::chrono::microseconds linger) {
  std::unique_lock lock(queue_mutex_);
  const auto ready = [this] { return stopping_ || !queue_.empty(); };
  // Who does not see the store healthy may not send anything that would show that it is. What is damaged does not heal.
  while (!health_.ok() && !absl::IsDataLoss(health_) && !queue_changed_.wait_for(lock, kProbeInterval, ready)) {
    lock.unlock();
    SetHealth(Execute(writer_.db.get(), SetVersion()));
    lock.lock();
  }
  while (replaced_ && !queue_changed_.wait_until(lock, scrub_at_, ready)) {
    lock.unlock();
    Scrub();
    lock.lock();
  }
  queue_changed_.wait(lock, ready);
  if (queue_.empty()) return nullptr;
  // Who was answered together comes back together: without a moment's wait the first one back would go alone and the others wait for it.
  if (wanted_ > 1) queue_changed_.wait_for(lock, linger, [this] { return stopping_ || queued_ >= wanted_; });
  std::shared_ptr<Group> group = std::move(queue_.front());
  queue_.pop_front();
  wanted_ = group->members.size();
  queued_ -= wanted_;
  return group;
}

void SqliteStore::Checkpoint() {
  if (replaced_ && std::chrono::steady_clock::now() >= scrub_at_) return Scrub();
  if (log_pages_ < kCheckpointPages) return;
  // Failing is no harm: the log keeps everything, and the next commit tries again.
  sqlite3_wal_checkpoint_v2(writer_.db.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

void SqliteStore::Scrub() {
  sqlite3* const db = writer_.db.get();
  // Nobody who commits waits for who reads.
  sqlite3_busy_timeout(db, 0);
  replaced_ = sqlite3_wal_checkpoint_v2(db, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) != SQLITE_OK;
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  scrub_at_ = std::chrono::steady_clock::now() + kScrubAgain;
}

void SqliteStore::CommitGroup(const std::vector<Pending*>& members) {
  absl::Status status = CommitTransaction(members);
  SetHealth(status);
  if (status.ok()) return;
  // When there is no room for all there may be room for some.
  if (members.size() > 1 && IsFull(status)) {
    for (Pending* member : members) CommitGroup({member});
    return;
  }
  for (Pending* member : members) member->result = status;
}

absl::Status SqliteStore::CommitTransaction(const std::vector<Pending*>& members) {
  const int64_t last_partition_id = last_partition_id_;
  absl::Status status = writer_.begin.Run();
  for (size_t i = 0; status.ok() && i < members.size(); ++i) status = Apply(*members[i]);
  if (status.ok()) status = writer_.commit.Run();
  if (status.ok()) {
    Publish();
  } else {
    // SQLite has ended the transaction itself after some errors.
    if (sqlite3_get_autocommit(writer_.db.get()) == 0) writer_.rollback.Run().IgnoreError();
    last_partition_id_ = last_partition_id;
  }
  changed_.clear();
  return status;
}

absl::Status SqliteStore::Apply(Pending& member) {
  const std::string& name = member.batch.partition;
  const auto changed = changed_.find(name);
  Partition partition = changed != changed_.end() ? changed->second : Find(name).value_or(Partition{});
  absl::Status status = member.saved ? ApplySaved(member, partition) : ApplyBatch(member, partition);
  if (status.ok() && partition.id != 0) changed_[name] = partition;
  return status;
}

absl::Status SqliteStore::ApplyBatch(Pending& member, Partition& partition) {
  const Batch& batch = member.batch;
  // All conditions are looked at before anything is changed.
  for (const auto& [key, version] : batch.expectations) {
    auto found = FindDocument(partition, key);
    if (!found.ok()) return found.status();
    if ((found->exists ? found->version : 0) != version) {
      member.result = ConcurrentChange(batch.partition);
      return absl::OkStatus();
    }
  }
  std::vector<Found> targets;
  targets.reserve(batch.writes.size());
  for (const Write& write : batch.writes) {
    auto found = FindDocument(partition, write.key);
    if (!found.ok()) return found.status();
    if (write.expected_version && (found->exists ? found->version : 0) != *write.expected_version) {
      member.result = ConcurrentChange(batch.partition);
      return absl::OkStatus();
    }
    targets.push_back(*found);
  }

  CommitResult result;
  const uint64_t first = partition.last_sequence + 1;
  if (!batch.events.empty()) result.first_sequence = first;
  for (const std::string& event : batch.events) {
    if (absl::Status appended = Append(batch.partition, partition, event); !appended.ok()) return appended;
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    const Write& write = batch.writes[i];
    const Found& target = targets[i];
    if (target.row == 0 && !write.value) continue;
    // A delete keeps the version, so that the next put goes on from it.
    const uint64_t version = write.value ? target.version + 1 : target.version;
    const uint64_t sequence = write.value && write.event ? first + *write.event : 0;
    absl::Status put = Put(batch.partition, partition, write.key, target.row, {write.value, version, sequence});
    if (!put.ok()) return put;
  }
  result.last_sequence = partition.last_sequence;
  member.result = result;
  return absl::OkStatus();
}

absl::Status SqliteStore::ApplySaved(Pending& member, Partition& partition) {
  const std::string& name = member.batch.partition;
  std::vector<const SavedDocument*> missing;
  for (const SavedDocument& document : member.saved->documents) {
    auto found = FindDocument(partition, document.key);
    if (!found.ok()) return found.status();
    if (found->row == 0) {
      missing.push_back(&document);
      continue;
    }
    auto stands = Stands(*found, document);
    if (!stands.ok()) return stands.status();
    if (!*stands) {
      member.result = DocumentConflict(name, document.key);
      return absl::OkStatus();
    }
  }
  uint64_t last = partition.last_sequence;
  for (const FeedEvent& event : member.saved->events) {
    if (event.sequence == last + 1) {
      ++last;
      continue;
    }
    auto stands = Stands(partition, event);
    if (!stands.ok()) return stands.status();
    if (!*stands) {
      member.result = EventConflict(name, event.sequence);
      return absl::OkStatus();
    }
  }
  for (const FeedEvent& event : member.saved->events) {
    if (event.sequence <= partition.last_sequence) continue;
    if (absl::Status appended = Append(name, partition, event.value); !appended.ok()) return appended;
  }
  for (const SavedDocument* document : missing) {
    absl::Status put = Put(name, partition, document->key, 0, {document->value, document->version, document->sequence});
    if (!put.ok()) return put;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> SqliteStore::Stands(const Found& found, const SavedDocument& document) {
  Statement& row = writer_.document;
  ResetAtEnd reset(row);
  if (auto step = row.Bind(1, found.row).Step(); !step.ok()) return step.status();
  return static_cast<uint64_t>(row.Number(0)) == document.version && static_cast<uint64_t>(row.Number(1)) == document.sequence &&
         row.IsNull(2) != document.value.has_value() && (!document.value || row.Bytes(2) == *document.value);
}

absl::StatusOr<bool> SqliteStore::Stands(const Partition& partition, const FeedEvent& event) {
  if (event.sequence == 0 || event.sequence > partition.last_sequence) return false;
  ResetAtEnd reset(writer_.event);
  auto row = writer_.event.Bind(1, EventId(partition.id, event.sequence)).Step();
  if (!row.ok()) return row.status();
  return *row && writer_.event.Bytes(0) == event.value;
}

absl::Status SqliteStore::Ensure(const std::string& name, Partition& partition) {
  if (partition.id != 0) return absl::OkStatus();
  partition.id = ++last_partition_id_;
  return writer_.create_partition.Bind(1, partition.id).Bind(2, name).Run();
}

absl::StatusOr<SqliteStore::Found> SqliteStore::FindDocument(const Partition& partition, const std::string& key) {
  Found found;
  if (partition.id == 0) return found;
  auto row = writer_.find.Bind(1, partition.id).Bind(2, key).Step();
  if (!row.ok()) return row.status();
  if (*row) {
    found.row = writer_.find.Number(0);
    found.version = static_cast<uint64_t>(writer_.find.Number(1));
    found.exists = writer_.find.Number(2) != 0;
    writer_.find.Reset();
  }
  return found;
}

absl::Status SqliteStore::Put(const std::string& name, Partition& partition, const std::string& key, int64_t row, const Content& content) {
  if (absl::Status ensured = Ensure(name, partition); !ensured.ok()) return ensured;
  Statement& put = row == 0 ? writer_.insert : writer_.update;
  if (row == 0) {
    put.Bind(1, partition.id).Bind(2, key);
  } else {
    put.Bind(1, row);
    if (!std::exchange(replaced_, true)) scrub_at_ = std::chrono::steady_clock::now() + kScrubAfter;
  }
  put.Bind(3, static_cast<int64_t>(content.version)).Bind(4, static_cast<int64_t>(content.sequence));
  if (content.value) {
    put.Bind(5, *content.value);
  } else {
    put.BindNull(5);
  }
  return put.Run();
}

absl::Status SqliteStore::Append(const std::string& name, Partition& partition, const std::string& event) {
  if (absl::Status ensured = Ensure(name, partition); !ensured.ok()) return ensured;
  return writer_.append.Bind(1, EventId(partition.id, ++partition.last_sequence)).Bind(2, event).Run();
}

void SqliteStore::Publish() {
  std::lock_guard guard(partitions_mutex_);
  for (const auto& [name, partition] : changed_) {
    Partition& known = partitions_[name];
    const bool grown = known.last_sequence != partition.last_sequence;
    known = partition;
    if (grown) feed_changed_[std::hash<std::string>()(name) % feed_changed_.size()].notify_all();
  }
}

void SqliteStore::SetHealth(absl::Status health) {
  std::lock_guard guard(health_mutex_);
  health_ = std::move(health);
}

absl::Status SqliteStore::Health() {
  std::lock_guard guard(health_mutex_);
  return health_;
}

// ---- Reading

class SqliteStore::ReaderLease {
 public:
  explicit ReaderLease(SqliteStore& store) : store_(store) {
    std::unique_lock lock(store_.readers_mutex_);
    store_.reader_free_.wait(lock, [this] { return !store_.readers_.empty(); });
    reader_ = std::move(store_.readers_.back());
    store_.readers_.pop_back();
  }
  ~ReaderLease() {
    {
      std::lock_guard guard(store_.readers_mutex_);
      store_.readers_.push_back(std::move(reader_));
    }
    store_.reader_free_.notify_one();
  }
  ReaderLease(const ReaderLease&) = delete;
  ReaderLease& operator=(const ReaderLease&) = delete;
  Reader* operator->() { return reader_.get(); }

 private:
  SqliteStore& store_;
  std::unique_ptr<Reader> reader_;
};

std::optional<SqliteStore::Partition> SqliteStore::Find(const std::string& partition) {
  std::lock_guard guard(partitions_mutex_);
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::optional<Document>> SqliteStore::Get(const std::string& partition, const std::string& key) {
  const auto known = Find(partition);
  if (!known) return std::nullopt;
  ReaderLease reader(*this);
  ResetAtEnd reset(reader->get);
  auto row = reader->get.Bind(1, known->id).Bind(2, key).Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return ReadDocument(key, reader->get, 0);
}

absl::StatusOr<std::vector<std::optional<Document>>> SqliteStore::GetMany(const std::string& partition,
                                                                          const std::vector<std::string>& keys) {
  std::vector<std::optional<Document>> documents(keys.size());
  const auto known = Find(partition);
  if (!known) return documents;
  ReaderLease reader(*this);
  absl::Status status = reader->begin.Run();
  for (size_t i = 0; status.ok() && i < keys.size(); ++i) {
    ResetAtEnd reset(reader->get);
    auto row = reader->get.Bind(1, known->id).Bind(2, keys[i]).Step();
    status = row.status();
    if (row.ok() && *row) documents[i] = ReadDocument(keys[i], reader->get, 0);
  }
  const absl::Status ended = reader->end.Run();
  if (!status.ok()) return status;
  if (!ended.ok()) return ended;
  return documents;
}

absl::StatusOr<std::vector<Document>> SqliteStore::List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                        size_t limit) {
  std::vector<Document> documents;
  const auto known = Find(partition);
  if (!known) return documents;
  ReaderLease reader(*this);
  ResetAtEnd reset(reader->list);
  reader->list.Bind(1, known->id);
  const std::string from = std::max(prefix, Following(after));
  reader->list.Bind(2, from);
  while (documents.size() < limit) {
    auto row = reader->list.Step();
    if (!row.ok()) return row.status();
    if (!*row || reader->list.Bytes(0).substr(0, prefix.size()) != prefix) break;
    if (!reader->list.IsNull(3)) documents.push_back(ReadDocument(std::string(reader->list.Bytes(0)), reader->list, 1));
  }
  return documents;
}

absl::StatusOr<std::vector<SavedDocument>> SqliteStore::Save(const std::string& partition, const std::string& after, size_t limit) {
  std::vector<SavedDocument> documents;
  const auto known = Find(partition);
  if (!known) return documents;
  ReaderLease reader(*this);
  ResetAtEnd reset(reader->list);
  const std::string from = Following(after);
  reader->list.Bind(1, known->id).Bind(2, from);
  for (size_t bytes = 0; documents.size() < limit && bytes < kMaxReadBytes;) {
    auto row = reader->list.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    Document document = ReadDocument(std::string(reader->list.Bytes(0)), reader->list, 1);
    bytes += document.key.size() + document.value.size();
    documents.push_back({std::move(document.key), std::nullopt, document.version, document.sequence});
    if (!reader->list.IsNull(3)) documents.back().value = std::move(document.value);
  }
  return documents;
}

absl::StatusOr<uint64_t> SqliteStore::Count(const std::string& partition, const std::string& prefix) {
  const auto known = Find(partition);
  if (!known) return 0;
  ReaderLease reader(*this);
  ResetAtEnd reset(reader->count);
  // Up to the first key beyond the prefix; there is none after 0xff, but a next partition.
  std::string end = prefix;
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) ++end.back();
  reader->count.Bind(1, known->id).Bind(2, prefix).Bind(3, end.empty() ? known->id + 1 : known->id).Bind(4, end);
  auto row = reader->count.Step();
  if (!row.ok()) return row.status();
  return static_cast<uint64_t>(reader->count.Number(0));
}

absl::StatusOr<std::vector<std::string>> SqliteStore::Partitions(const std::string& prefix) {
  std::vector<std::string> names;
  {
    std::lock_guard guard(partitions_mutex_);
    for (const auto& [name, partition] : partitions_) {
      if (name.compare(0, prefix.size(), prefix) == 0) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::vector<FeedEvent>> SqliteStore::ReadFeed(const std::string& partition, uint64_t after_sequence, size_t limit) {
  std::vector<FeedEvent> events;
  const auto known = Find(partition);
  if (!known || after_sequence >= kMaxSequence) return events;
  const int64_t empty_feed = EventId(known->id, 0);
  ReaderLease reader(*this);
  ResetAtEnd reset(reader->feed);
  // Up to the end in the file, not the known one: who has read a document may ask for its event before Publish tells of it.
  reader->feed.Bind(1, EventId(known->id, after_sequence)).Bind(2, EventId(known->id, kMaxSequence));
  reader->feed.Bind(3, static_cast<int64_t>(std::min<size_t>(limit, kMaxSequence)));
  for (size_t bytes = 0; bytes < kMaxReadBytes; bytes += events.back().value.size()) {
    auto row = reader->feed.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    events.push_back({static_cast<uint64_t>(reader->feed.Number(0) - empty_feed), std::string(reader->feed.Bytes(1))});
  }
  return events;
}

absl::StatusOr<uint64_t> SqliteStore::LastSequence(const std::string& partition) {
  return Find(partition).value_or(Partition{}).last_sequence;
}

absl::StatusOr<bool> SqliteStore::WaitFeed(const std::string& partition, uint64_t after_sequence, std::chrono::milliseconds timeout) {
  std::condition_variable& changed = feed_changed_[std::hash<std::string>()(partition) % feed_changed_.size()];
  bool grown = false;
  std::unique_lock lock(partitions_mutex_);
  changed.wait_for(lock, timeout, [&] {
    const auto known = partitions_.find(partition);
    grown = known != partitions_.end() && known->second.last_sequence > after_sequence;
    return grown || interrupted_;
  });
  if (interrupted_) return status::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the service is shutting down");
  return grown;
}

void SqliteStore::Interrupt() {
  {
    std::lock_guard guard(partitions_mutex_);
    interrupted_ = true;
  }
  for (std::condition_variable& changed : feed_changed_) changed.notify_all();
}

}  // namespace peiling::storage
