// How the messages of a wave are stored, in the wave's partition:
//   message/<id>                       StoredMessage
//   due/<time>/<id>                    it is due, and may be leased from then on
//   settle/<time>/<id>                 it is uncertain until then
//   lease/request/<request>            MailLease, by who asked for it
//   lease/end/<time>/<request>         when that ends
//   event/<provider>/<event id>        the event is known
//   mailstate/counts/<0 to 7>          MailCounts, which add up. Every commit writes one of them, so that their versions tell of changes
//   mailstate/suppress/<id>/<reason>   PendingSuppression
// <time> is in microseconds since 1970, 16 hexadecimal digits. <id> is the last part of a message's name.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/storage/v1/outbox.pb.h"
#include "services/common/storage/store.h"

namespace peiling::fieldwork {

inline constexpr char kMessagePrefix[] = "message/";
inline constexpr char kSuppressPrefix[] = "mailstate/suppress/";

// "<prefix><time>/<id>".
std::string TimeKey(std::string_view prefix, absl::Time time, std::string_view id);

// Keys in the order of time, looked at from the front. A store may keep a trace of everything deleted, and a queue consists of deletions:
// so it is remembered how far there is nothing any more. Thread-safe.
class TimeQueue {
 public:
  explicit TimeQueue(std::string prefix) : prefix_(std::move(prefix)) {}

  // What was found, to be handed to Passed.
  struct Found {
    // Ids whose time has come, the earliest first.
    std::vector<std::string> ids;
    std::vector<std::string> keys;
    uint64_t generation = 0;
  };
  absl::StatusOr<Found> Read(storage::Store& store, const std::string& partition, absl::Time now, size_t limit);
  // The first `count` of what was found, from the first on, are not there any more.
  void Passed(const Found& found, size_t count);
  // A key was put there, perhaps.
  void Put(const std::string& key);

  const std::string& prefix() const { return prefix_; }

 private:
  // After so long all is looked at again: replicas put keys there, too.
  static constexpr absl::Duration kForget = absl::Seconds(5);

  const std::string prefix_;
  std::mutex mutex_;
  // There is nothing up to this key, itself included, as far as is known.
  std::string passed_;
  absl::Time passed_since_ = absl::InfinitePast();
  // Changes when a key is put there.
  uint64_t generation_ = 0;
};

// How many messages there are: by step, kind and state.
using MessageCounts = std::map<std::tuple<std::string, survey::v1::MailKind, v1::MessageState>, int64_t>;

// The messages of one wave. Thread-safe.
class MessageTable {
 public:
  // `store` must outlive it.
  MessageTable(storage::Store& store, std::string wave);

  storage::Store& store() { return store_; }
  // Also the partition's name.
  const std::string& wave() const { return wave_; }
  TimeQueue& due() { return due_; }
  TimeQueue& settling() { return settling_; }
  TimeQueue& lease_ends() { return lease_ends_; }

  // Where a message waits; nullopt: nowhere.
  std::optional<std::string> QueueKey(const std::string& id, const storage::v1::StoredMessage& stored) const;

  absl::StatusOr<MessageCounts> Counts();
  absl::StatusOr<uint64_t> Version();

  // Commits changes of messages, `change` of their numbers with them. ABORTED/CONCURRENT_CHANGE is about the writes given.
  absl::Status Commit(const std::vector<storage::Write>& writes, const MessageCounts& change);

 private:
  // Part of the numbers. There are several so that commits of several threads can be written to disk together.
  struct Part {
    std::mutex mutex;
    std::string key;
    // As it was last seen; nullopt: not known.
    std::optional<std::pair<uint64_t, MessageCounts>> seen;
  };
  static constexpr size_t kParts = 8;

  std::pair<Part*, std::unique_lock<std::mutex>> TakePart();
  absl::Status Read(Part& part);
  absl::StatusOr<std::vector<std::optional<storage::Document>>> ReadParts();

  storage::Store& store_;
  const std::string wave_;
  // Where to begin looking for a part nobody uses: another one in every replica.
  const size_t first_part_;
  TimeQueue due_{"due/"};
  TimeQueue settling_{"settle/"};
  TimeQueue lease_ends_{"lease/end/"};
  std::array<Part, kParts> parts_;
};

// Messages that are read, changed and committed together. Not thread-safe.
class MessageChange {
 public:
  // `table` must outlive it.
  explicit MessageChange(MessageTable& table) : table_(table) {}

  // To be called before anything is changed.
  absl::Status Load(const std::vector<std::string>& ids);
  // To be changed as wished; null when there is none. Holds until the next Load or Create.
  storage::v1::StoredMessage* Find(const std::string& id);
  storage::v1::StoredMessage& Create(const std::string& id);
  // Something that goes with it.
  void Add(storage::Write write) { writes_.push_back(std::move(write)); }

  // Writes what has changed; when nothing has, what was read is durable. ABORTED/CONCURRENT_CHANGE: somebody was faster.
  absl::Status Commit();

 private:
  struct Entry {
    // As it was read; nothing of a new one.
    std::string bytes;
    uint64_t version = 0;
    std::optional<std::string> queue_key;
    v1::MessageState state = v1::MESSAGE_STATE_UNSPECIFIED;
    storage::v1::StoredMessage stored;
  };

  MessageTable& table_;
  std::map<std::string, Entry> entries_;
  std::vector<storage::Write> writes_;
};

}  // namespace peiling::fieldwork
