#include "services/fieldwork/mail/message_table.h"

#include <algorithm>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/fieldwork/mail/message_life.h"

namespace peiling::fieldwork {
namespace {

using storage::v1::StoredMessage;

constexpr size_t kTimeDigits = 16;

std::string TimeDigits(absl::Time time) { return absl::StrFormat("%016x", std::max<int64_t>(0, absl::ToUnixMicros(time))); }

std::string MessageKey(const std::string& id) { return kMessagePrefix + id; }

void AddTo(MessageCounts& sum, const storage::v1::MailCounts& part) {
  for (const storage::v1::MailCount& count : part.counts()) sum[{count.step(), count.kind(), count.state()}] += count.count();
}

std::string Bytes(const MessageCounts& counts) {
  storage::v1::MailCounts part;
  for (const auto& [what, number] : counts) {
    if (number == 0) continue;
    storage::v1::MailCount& count = *part.add_counts();
    count.set_step(std::get<0>(what));
    count.set_kind(std::get<1>(what));
    count.set_state(std::get<2>(what));
    count.set_count(number);
  }
  return part.SerializeAsString();
}

}  // namespace

std::string TimeKey(std::string_view prefix, absl::Time time, std::string_view id) {
  return std::string(prefix).append(TimeDigits(time)).append("/").append(id);
}

absl::StatusOr<TimeQueue::Found> TimeQueue::Read(storage::Store& store, const std::string& partition, absl::Time now, size_t limit) {
  std::string after;
  Found found;
  {
    const std::lock_guard lock(mutex_);
    if (now < passed_since_ || now > passed_since_ + kForget) passed_.clear();
    after = passed_;
    found.generation = generation_;
  }
  auto documents = store.List(partition, prefix_, after, limit);
  if (!documents.ok()) return documents.status();
  const std::string end = TimeKey(prefix_, now + absl::Microseconds(1), "");
  for (storage::Document& document : *documents) {
    if (document.key >= end) break;
    found.ids.push_back(document.key.substr(prefix_.size() + kTimeDigits + 1));
    found.keys.push_back(std::move(document.key));
  }
  const std::lock_guard lock(mutex_);
  if (after.empty()) passed_since_ = now;
  return found;
}

void TimeQueue::Passed(const Found& found, size_t count) {
  if (count == 0) return;
  const std::lock_guard lock(mutex_);
  if (generation_ == found.generation) passed_ = std::max(passed_, found.keys[count - 1]);
}

void TimeQueue::Put(const std::string& key) {
  const std::lock_guard lock(mutex_);
  ++generation_;
  if (key <= passed_) passed_.clear();
}

MessageTable::MessageTable(storage::Store& store, std::string wave)
    : store_(store), wave_(std::move(wave)), first_part_(std::random_device{}() % kParts) {
  for (size_t i = 0; i < kParts; ++i) parts_[i].key = absl::StrCat("mailstate/counts/", i);
}

std::optional<std::string> MessageTable::QueueKey(const std::string& id, const StoredMessage& stored) const {
  switch (stored.message().state()) {
    case v1::MESSAGE_STATE_DUE:
      return TimeKey(due_.prefix(), LeasableAt(stored), id);
    case v1::MESSAGE_STATE_UNCERTAIN:
      return TimeKey(settling_.prefix(), calendar::FromProto(stored.message().lease_expires_at()), id);
    default:
      return std::nullopt;
  }
}

absl::StatusOr<std::vector<std::optional<storage::Document>>> MessageTable::ReadParts() {
  std::vector<std::string> keys;
  for (const Part& part : parts_) keys.push_back(part.key);
  return store_.GetMany(wave_, keys);
}

absl::StatusOr<MessageCounts> MessageTable::Counts() {
  auto documents = ReadParts();
  if (!documents.ok()) return documents.status();
  MessageCounts sum;
  for (const auto& document : *documents) {
    if (!document) continue;
    auto part = storage::Parse<storage::v1::MailCounts>(*document);
    if (!part.ok()) return part.status();
    AddTo(sum, *part);
  }
  return sum;
}

absl::StatusOr<uint64_t> MessageTable::Version() {
  auto documents = ReadParts();
  if (!documents.ok()) return documents.status();
  uint64_t sum = 0;
  for (const auto& document : *documents) sum += document ? document->version : 0;
  return sum;
}

std::pair<MessageTable::Part*, std::unique_lock<std::mutex>> MessageTable::TakePart() {
  for (size_t i = 0; i < kParts; ++i) {
    Part& part = parts_[(first_part_ + i) % kParts];
    std::unique_lock lock(part.mutex, std::try_to_lock);
    if (lock.owns_lock()) return {&part, std::move(lock)};
  }
  return {&parts_[first_part_], std::unique_lock(parts_[first_part_].mutex)};
}

absl::Status MessageTable::Read(Part& part) {
  auto document = store_.Get(wave_, part.key);
  if (!document.ok()) return document.status();
  auto& [version, counts] = part.seen.emplace();
  if (!document->has_value()) return absl::OkStatus();
  auto stored = storage::Parse<storage::v1::MailCounts>(**document);
  if (!stored.ok()) return stored.status();
  version = (*document)->version;
  AddTo(counts, *stored);
  return absl::OkStatus();
}

absl::Status MessageTable::Commit(const std::vector<storage::Write>& writes, const MessageCounts& change) {
  auto [part, lock] = TakePart();
  std::optional<uint64_t> refused;
  for (;;) {
    if (!part->seen) {
      if (absl::Status read = Read(*part); !read.ok()) return read;
    }
    auto& [version, counts] = *part->seen;
    // Nobody else has changed the numbers, so it was the messages.
    if (refused == version) {
      return status::Error(absl::StatusCode::kAborted, "CONCURRENT_CHANGE", absl::StrCat("messages of ", wave_, " changed; try again"));
    }
    MessageCounts sum = counts;
    for (const auto& [what, number] : change) sum[what] += number;
    storage::Batch batch{.partition = wave_, .writes = writes};
    batch.writes.push_back({.key = part->key, .value = Bytes(sum), .expected_version = version});
    absl::Status committed = store_.Commit(std::move(batch)).status();
    if (committed.ok()) {
      part->seen.emplace(version + 1, std::move(sum));
    } else {
      refused = version;
      part->seen.reset();
    }
    if (status::Reason(committed) != "CONCURRENT_CHANGE") {
      for (const storage::Write& write : writes) {
        if (!write.value) continue;
        for (TimeQueue* queue : {&due_, &settling_, &lease_ends_}) {
          if (absl::StartsWith(write.key, queue->prefix())) queue->Put(write.key);
        }
      }
      return committed;
    }
  }
}

absl::Status MessageChange::Load(const std::vector<std::string>& ids) {
  std::vector<std::string> keys;
  keys.reserve(ids.size());
  for (const std::string& id : ids) keys.push_back(MessageKey(id));
  auto documents = table_.store().GetMany(table_.wave(), keys);
  if (!documents.ok()) return documents.status();
  for (size_t i = 0; i < ids.size(); ++i) {
    std::optional<storage::Document>& document = (*documents)[i];
    if (!document) continue;
    auto stored = storage::Parse<StoredMessage>(*document);
    if (!stored.ok()) return stored.status();
    entries_[ids[i]] = {.bytes = std::move(document->value),
                        .version = document->version,
                        .queue_key = table_.QueueKey(ids[i], *stored),
                        .state = stored->message().state(),
                        .stored = *std::move(stored)};
  }
  return absl::OkStatus();
}

StoredMessage* MessageChange::Find(const std::string& id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second.stored;
}

StoredMessage& MessageChange::Create(const std::string& id) { return entries_[id].stored; }

absl::Status MessageChange::Commit() {
  MessageCounts change;
  const auto count = [&change](const v1::Message& message, v1::MessageState state, int number) {
    if (state != v1::MESSAGE_STATE_UNSPECIFIED) change[{message.step(), message.kind(), state}] += number;
  };
  for (auto& [id, entry] : entries_) {
    std::string bytes = entry.stored.SerializeAsString();
    if (bytes == entry.bytes) continue;
    writes_.push_back({.key = MessageKey(id), .value = std::move(bytes), .expected_version = entry.version});
    std::optional<std::string> queue_key = table_.QueueKey(id, entry.stored);
    if (queue_key != entry.queue_key) {
      if (entry.queue_key) writes_.push_back({.key = *entry.queue_key});
      if (queue_key) writes_.push_back({.key = *std::move(queue_key), .value = ""});
    }
    count(entry.stored.message(), entry.state, -1);
    count(entry.stored.message(), entry.stored.message().state(), 1);
  }
  if (writes_.empty()) return table_.store().Confirm(table_.wave());
  return table_.Commit(writes_, change);
}

}  // namespace peiling::fieldwork
