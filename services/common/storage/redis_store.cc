#include "services/common/storage/redis_store.h"

#include <algorithm>
#include <utility>

#include "services/common/status/errors.h"
#include "services/common/storage/batch.h"
#include "services/common/storage/redis_scripts.h"

namespace peiling::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Next = RedisOutcome::Next;

// How long opening tries to reach a server.
constexpr std::chrono::seconds kOpening(10);
constexpr milliseconds kOpeningPause(200);
// How long a call waits for a server that is about to answer (a failover, a slot under way), as long as all was well until now.
constexpr milliseconds kPatience(1000);
constexpr milliseconds kPause(20);
constexpr int kMaxRedirects = 5;
// How often feeds of other processes are looked at while somebody waits.
constexpr milliseconds kWatchPause(20);
constexpr milliseconds kWatchPauseAfterError(200);
constexpr std::chrono::seconds kKeeperPause(1);

// What one script does at most, so that others get their turn.
constexpr size_t kMaxItems = 100'000;
constexpr size_t kMaxPage = 512;
constexpr size_t kMaxPageBytes = 1 << 20;
constexpr size_t kMaxReadBytes = 4 << 20;
constexpr size_t kMaxFeedPage = 4096;
// Lua's numbers are exact up to here.
constexpr uint64_t kMaxSequence = uint64_t{1} << 53;

absl::Status Corrupt(const std::string& partition) {
  return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", "what Redis has of a partition cannot be understood",
                       {{"partition", partition}});
}

// Once the store is open nobody can mend what is wrong by another call: it may be retried when somebody has.
absl::Status Later(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kFailedPrecondition) return status;
  return status::Error(absl::StatusCode::kUnavailable, status::Reason(status), std::string(status.message()), status::Metadata(status));
}

// Which of several stores of a process it is, for what threads remember.
uint64_t NextInstance() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

// The generations of servers that a thread has read in: the first since it last committed on what it had read, and the last.
struct ReadIn {
  uint64_t first = 0, last = 0;
};
// Of this thread, by store (NextInstance).
thread_local std::unordered_map<uint64_t, ReadIn> read_in;

// Whether a commit relies on something read: a version that a failover may have taken back and given again.
bool ReliesOnVersions(const Batch& batch) {
  return std::any_of(batch.writes.begin(), batch.writes.end(), [](const Write& write) { return write.expected_version.value_or(0) > 0; }) ||
         std::any_of(batch.expectations.begin(), batch.expectations.end(), [](const auto& expected) { return expected.second > 0; });
}

RedisCommand Command(const std::vector<std::string>& words) { return {words.begin(), words.end()}; }

absl::StatusOr<std::optional<Document>> ToDocument(const std::string& partition, const std::string& key, const redisReply& reply) {
  if (reply.type == REDIS_REPLY_NIL) return std::nullopt;
  auto saved = UnpackDocument(key, Text(reply));
  if (!saved) return Corrupt(partition);
  if (!saved->value) return std::nullopt;
  return Document{key, std::move(*saved->value), saved->version, saved->sequence};
}

RedisWrite MakeCommit(const RedisKeys& keys, Batch batch, bool at_once) {
  RedisWrite write{&CommitScript(), {keys.data, keys.index, keys.feed}, {}};
  auto& arguments = write.arguments;
  arguments.reserve(3 + 2 * batch.expectations.size() + 5 * batch.writes.size() + batch.events.size());
  arguments.push_back(at_once ? "1" : "0");
  arguments.push_back(std::to_string(batch.expectations.size()));
  for (auto& [key, version] : batch.expectations) {
    arguments.push_back(std::move(key));
    arguments.push_back(std::to_string(version));
  }
  arguments.push_back(std::to_string(batch.writes.size()));
  for (Write& one : batch.writes) {
    arguments.push_back(std::move(one.key));
    arguments.push_back(one.expected_version ? std::to_string(*one.expected_version) : "");
    arguments.push_back(one.value ? "+" : "-");
    arguments.push_back(one.value ? std::move(*one.value) : "");
    arguments.push_back(std::to_string(one.event ? *one.event + 1 : 0));
  }
  for (std::string& event : batch.events) arguments.push_back(std::move(event));
  return write;
}

RedisWrite MakeRestore(const RedisKeys& keys, const std::vector<SavedDocument>& documents, const std::vector<FeedEvent>& events) {
  RedisWrite write{&RestoreScript(), {keys.data, keys.index, keys.feed}, {std::to_string(documents.size())}};
  for (const SavedDocument& document : documents) {
    write.arguments.push_back(document.key);
    write.arguments.push_back(PackDocument(document));
  }
  for (const FeedEvent& event : events) {
    write.arguments.push_back(std::to_string(event.sequence));
    write.arguments.push_back(event.value);
  }
  return write;
}

absl::Status CheckItems(size_t items) {
  if (items <= kMaxItems) return absl::OkStatus();
  return status::Error(absl::StatusCode::kInvalidArgument, "BATCH_TOO_LARGE",
                       "a batch of " + std::to_string(items) + " documents and events is too large");
}

// Two pages of different signs as one, by key, up to where both are known.
std::vector<SavedDocument> Merge(std::vector<SavedDocument> live, bool live_complete, std::vector<SavedDocument> deleted,
                                 bool deleted_complete) {
  std::optional<std::string> end;
  if (!live_complete) end = live.back().key;
  if (!deleted_complete && (!end || deleted.back().key < *end)) end = deleted.back().key;
  std::vector<SavedDocument> merged;
  std::merge(std::make_move_iterator(live.begin()), std::make_move_iterator(live.end()), std::make_move_iterator(deleted.begin()),
             std::make_move_iterator(deleted.end()), std::back_inserter(merged),
             [](const SavedDocument& a, const SavedDocument& b) { return a.key < b.key; });
  while (end && !merged.empty() && merged.back().key > *end) merged.pop_back();
  return merged;
}

}  // namespace

// ---- Opening and closing

absl::StatusOr<std::unique_ptr<Store>> RedisStore::Open(const std::string& address, const std::string& name) {
  auto parsed = ParseRedisAddress(address);
  if (!parsed.ok()) return parsed.status();
  std::unique_ptr<RedisStore> store(new RedisStore(std::move(*parsed), name));
  if (absl::Status connected = store->Connect(); !connected.ok()) return connected;
  store->Start();
  return store;
}

RedisStore::RedisStore(RedisAddress address, std::string name)
    : dialer_(std::move(address), "peiling-" + name),
      name_(std::move(name)),
      instance_(NextInstance()),
      topology_(RedisTopology::Make(dialer_)) {}

absl::Status RedisStore::Connect() {
  const auto end = steady_clock::now() + kOpening;
  while (true) {
    const absl::Status status = CheckServers();
    if (CanBeRead(status)) {
      health_ = status;
      return absl::OkStatus();
    }
    if (status.code() != absl::StatusCode::kUnavailable) return status;
    if (steady_clock::now() + kOpeningPause >= end) return status;
    topology_->Suspect();
    std::this_thread::sleep_for(kOpeningPause);
  }
}

void RedisStore::Start() {
  watcher_ = std::thread(&RedisStore::RunWatcher, this);
  keeper_ = std::thread(&RedisStore::RunKeeper, this);
}

RedisStore::~RedisStore() {
  {
    std::lock_guard guard(feeds_mutex_);
    stopping_ = true;
  }
  watcher_wakes_.notify_all();
  keeper_wakes_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  if (keeper_.joinable()) keeper_.join();
}

// ---- Servers

std::shared_ptr<RedisStore::Node> RedisStore::NodeAt(const RedisEndpoint& endpoint) {
  std::lock_guard guard(nodes_mutex_);
  std::shared_ptr<Node>& node = nodes_[endpoint];
  if (node == nullptr) {
    node = std::make_shared<Node>(dialer_, *topology_, endpoint);
    ++generation_;
    enlisted_.clear();
  }
  return node;
}

void RedisStore::StartAnew() {
  std::lock_guard guard(nodes_mutex_);
  ++generation_;
  enlisted_.clear();
}

void RedisStore::DropOldNodes(const std::vector<RedisEndpoint>& primaries) {
  std::vector<std::shared_ptr<Node>> dropped;  // Ends after the lock: it waits for a thread.
  std::lock_guard guard(nodes_mutex_);
  for (auto node = nodes_.begin(); node != nodes_.end();) {
    if (std::find(primaries.begin(), primaries.end(), node->first) != primaries.end()) {
      ++node;
      continue;
    }
    dropped.push_back(std::move(node->second));
    node = nodes_.erase(node);
  }
}

RedisOutcome RedisStore::Try(int slot, const std::function<RedisOutcome(Node&, bool asking)>& attempt) {
  const auto end = steady_clock::now() + (Health().ok() ? kPatience : milliseconds(0));
  std::optional<RedisRedirect> redirect;
  for (int redirects = 0;;) {
    RedisOutcome outcome;
    auto endpoint = redirect ? redirect->endpoint : topology_->Find(slot, dialer_.Deadline());
    if (endpoint.ok()) {
      outcome = attempt(*NodeAt(*endpoint), redirect && redirect->ask);
    } else {
      outcome = RedisOutcome::Failed(endpoint.status(), Next::kTryAgain);
    }
    redirect.reset();
    if (outcome.next == Next::kFinal) {
      // A primary that its replicas do not follow may be one that was replaced while it was cut off from them.
      if (absl::IsUnavailable(outcome.status)) topology_->Suspect();
      outcome.status = Later(outcome.status);
      return outcome;
    }
    if (outcome.next == Next::kRedirected && ++redirects <= kMaxRedirects) {
      redirect = outcome.redirect;
      if (!redirect->ask) topology_->Moved(slot, redirect->endpoint);
      continue;
    }
    topology_->Suspect();
    if (steady_clock::now() + kPause >= end) {
      outcome.status = Later(outcome.status);
      return outcome;
    }
    std::this_thread::sleep_for(kPause);
  }
}

void RedisStore::NoteReading() {
  const uint64_t generation = generation_;
  read_in.try_emplace(instance_, ReadIn{generation, generation}).first->second.last = generation;
}

uint64_t RedisStore::TakeFirstRead() {
  const auto read = read_in.extract(instance_);
  return read ? read.mapped().first : generation_.load();
}

uint64_t RedisStore::LastRead() const {
  const auto read = read_in.find(instance_);
  return read != read_in.end() ? read->second.last : generation_.load();
}

RedisOutcome RedisStore::Read(int slot, const RedisCommand& command) {
  NoteReading();
  return Try(slot, [&command](Node& node, bool asking) {
    std::vector<RedisCommand> commands;
    if (asking) commands.push_back({"ASKING"});
    commands.push_back(command);
    return std::move(node.pool.Read(commands).back());
  });
}

RedisOutcome RedisStore::ReadScript(int slot, const RedisScript& script, const std::vector<std::string>& keys,
                                    const std::vector<std::string>& arguments) {
  NoteReading();
  const std::string count = std::to_string(keys.size());
  RedisCommand command = {"EVALSHA", script.sha, count};
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  RedisCommand whole = command;
  whole[0] = "EVAL";
  whole[1] = script.source;
  return Try(slot, [&](Node& node, bool asking) {
    for (const RedisCommand& form : {command, whole}) {
      std::vector<RedisCommand> commands;
      if (asking) commands.push_back({"ASKING"});
      commands.push_back(form);
      RedisOutcome outcome = std::move(node.pool.Read(commands).back());
      if (outcome.next != Next::kSendWhole) return outcome;
    }
    return RedisOutcome::Failed(status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "Redis forgets scripts"),
                                Next::kFinal);
  });
}

RedisOutcome RedisStore::Write(int slot, RedisWrite write) {
  return Try(slot, [&write](Node& node, bool asking) {
    write.asking = asking;
    return node.writer.Write(write);
  });
}

// ---- Writing

absl::Status RedisStore::Enlist(const std::string& partition) {
  uint64_t generation = 0;
  {
    std::lock_guard guard(nodes_mutex_);
    if (enlisted_.count(partition) > 0) return absl::OkStatus();
    generation = generation_;
  }
  const std::string list = RedisPartitionList(name_);
  if (absl::Status status = Write(RedisSlot(list), {&EnlistScript(), {list}, {partition}}).status; !status.ok()) return status;
  std::lock_guard guard(nodes_mutex_);
  if (generation == generation_) enlisted_.insert(partition);
  return absl::OkStatus();
}

absl::StatusOr<CommitResult> RedisStore::Commit(Batch batch) {
  const bool relies = ReliesOnVersions(batch);
  const uint64_t first_read = relies ? TakeFirstRead() : 0;
  absl::Status checked = CheckBatch(batch);
  if (checked.ok()) checked = CheckItems(batch.writes.size() + batch.expectations.size() + batch.events.size());
  if (checked.ok() && !(batch.writes.empty() && batch.events.empty())) checked = Enlist(batch.partition);
  if (!checked.ok()) return checked;

  const std::string partition = batch.partition;
  const RedisKeys keys(name_, partition);
  const bool at_once = dialer_.address().wait == 0;
  RedisWrite write = MakeCommit(keys, std::move(batch), at_once);
  CommitResult result;
  bool refused = false;
  RedisOutcome outcome = Try(keys.slot, [&](Node& node, bool asking) {
    // Other servers may not have had what was read, and have given its version to something else.
    refused = relies && generation_ != first_read;
    if (refused) return RedisOutcome();
    write.asking = asking;
    RedisOutcome answer = node.writer.Write(write);
    if (answer.reply == nullptr) return answer;
    refused = Size(*answer.reply) != 3;
    if (refused || !answer.status.ok()) return answer;
    result = {static_cast<uint64_t>(Number(At(*answer.reply, 1))), static_cast<uint64_t>(Number(At(*answer.reply, 2)))};
    if (result.first_sequence > 0 && !at_once) node.writer.Advance(keys.data, result.last_sequence);
    return answer;
  });
  if (refused) return ConcurrentChange(partition);
  if (!outcome.status.ok()) {
    // Perhaps it was done, and nobody will set the mark.
    NoteBehind(partition);
    return outcome.status;
  }
  NoteDurable(partition, result.last_sequence);
  return result;
}

absl::Status RedisStore::Confirm(const std::string& partition) {
  if (dialer_.address().wait == 0) return absl::OkStatus();
  const uint64_t generation = LastRead();
  const RedisKeys keys(name_, partition);
  RedisWrite touch{&TouchScript(), {keys.data}, {}};
  const RedisOutcome outcome = Try(keys.slot, [&](Node& node, bool asking) {
    if (generation_ != generation) {
      return RedisOutcome::Failed(status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE",
                                                "the servers changed since it was read; try again with the same request_id"),
                                  Next::kFinal);
    }
    touch.asking = asking;
    return node.writer.Write(touch);
  });
  if (!outcome.status.ok()) return outcome.status;
  const auto last = static_cast<uint64_t>(Number(*outcome.reply));
  if (last == 0) return absl::OkStatus();
  NoteDurable(partition, last);
  return Write(keys.slot, {&AdvanceScript(), {keys.data}, {std::to_string(last)}}).status;
}

absl::Status RedisStore::Restore(const std::string& partition, const std::vector<SavedDocument>& documents,
                                 const std::vector<FeedEvent>& events) {
  absl::Status checked = CheckRestore(documents, events);
  if (checked.ok()) checked = CheckItems(documents.size() + events.size());
  if (checked.ok() && !(documents.empty() && events.empty())) checked = Enlist(partition);
  if (!checked.ok()) return checked;
  const RedisKeys keys(name_, partition);
  const RedisOutcome outcome = Write(keys.slot, MakeRestore(keys, documents, events));
  if (outcome.reply != nullptr && Size(*outcome.reply) == 3) {
    const redisReply& what = At(*outcome.reply, 2);
    return Text(At(*outcome.reply, 1)) == "event" ? EventConflict(partition, static_cast<uint64_t>(Number(what)))
                                                  : DocumentConflict(partition, std::string(Text(what)));
  }
  if (!outcome.status.ok()) return outcome.status;
  return events.empty() ? absl::OkStatus() : Confirm(partition);
}

// ---- Reading documents

absl::StatusOr<std::optional<Document>> RedisStore::Get(const std::string& partition, const std::string& key) {
  auto documents = GetMany(partition, {key});
  if (!documents.ok()) return documents.status();
  return std::move(documents->front());
}

absl::StatusOr<std::vector<std::optional<Document>>> RedisStore::GetMany(const std::string& partition,
                                                                         const std::vector<std::string>& keys) {
  std::vector<std::optional<Document>> documents;
  if (keys.empty()) return documents;
  const RedisKeys names(name_, partition);
  std::vector<std::string> words = {"HMGET", names.data};
  for (const std::string& key : keys) words.push_back("d" + key);
  const RedisOutcome outcome = Read(names.slot, Command(words));
  if (!outcome.status.ok()) return outcome.status;
  if (Size(*outcome.reply) != keys.size()) return Corrupt(partition);
  documents.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    auto document = ToDocument(partition, keys[i], At(*outcome.reply, i));
    if (!document.ok()) return document.status();
    documents.push_back(std::move(*document));
  }
  return documents;
}

absl::StatusOr<std::vector<RedisStore::Page>> RedisStore::ReadPages(const std::string& partition, const std::vector<RedisRange>& ranges,
                                                                    size_t limit) {
  const RedisKeys keys(name_, partition);
  std::vector<std::string> arguments = {std::to_string(std::min(limit, kMaxPage)), std::to_string(kMaxPageBytes)};
  for (const RedisRange& range : ranges) {
    arguments.push_back(range.least);
    arguments.push_back(range.most);
  }
  const RedisOutcome outcome = ReadScript(keys.slot, ListScript(), {keys.data, keys.index}, arguments);
  if (!outcome.status.ok()) return outcome.status;
  if (Size(*outcome.reply) != ranges.size()) return Corrupt(partition);
  std::vector<Page> pages(ranges.size());
  for (size_t i = 0; i < pages.size(); ++i) {
    const redisReply& reply = At(*outcome.reply, i);
    if (Size(reply) % 2 != 1) return Corrupt(partition);
    pages[i].complete = Number(At(reply, 0)) == 1;
    for (size_t n = 1; n < Size(reply); n += 2) {
      auto document = UnpackDocument(Text(At(reply, n)).substr(1), Text(At(reply, n + 1)));
      if (!document) return Corrupt(partition);
      pages[i].documents.push_back(std::move(*document));
    }
    // Else who goes on after the last would go round for ever.
    if (pages[i].documents.empty()) pages[i].complete = true;
  }
  return pages;
}

absl::StatusOr<std::vector<Document>> RedisStore::List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                       size_t limit) {
  std::vector<Document> documents;
  std::string from = after;
  while (documents.size() < limit) {
    auto pages = ReadPages(partition, {IndexRange("+", prefix, from)}, limit - documents.size());
    if (!pages.ok()) return pages.status();
    for (SavedDocument& saved : pages->front().documents) {
      if (!saved.value) return Corrupt(partition);
      documents.push_back({std::move(saved.key), std::move(*saved.value), saved.version, saved.sequence});
    }
    if (pages->front().complete) break;
    from = documents.back().key;
  }
  return documents;
}

absl::StatusOr<uint64_t> RedisStore::Count(const std::string& partition, const std::string& prefix) {
  const RedisKeys keys(name_, partition);
  const RedisRange range = IndexRange("+", prefix, "");
  const RedisOutcome outcome = Read(keys.slot, {"ZLEXCOUNT", keys.index, range.least, range.most});
  if (!outcome.status.ok()) return outcome.status;
  return static_cast<uint64_t>(Number(*outcome.reply));
}

absl::StatusOr<std::vector<SavedDocument>> RedisStore::Save(const std::string& partition, const std::string& after, size_t limit) {
  std::vector<SavedDocument> documents;
  std::string from = after;
  size_t bytes = 0;
  while (documents.size() < limit && bytes < kMaxReadBytes) {
    auto pages = ReadPages(partition, {IndexRange("+", "", from), IndexRange("-", "", from)}, limit - documents.size());
    if (!pages.ok()) return pages.status();
    Page &live = (*pages)[0], &deleted = (*pages)[1];
    const bool complete = live.complete && deleted.complete;
    for (SavedDocument& document : Merge(std::move(live.documents), live.complete, std::move(deleted.documents), deleted.complete)) {
      if (documents.size() == limit) break;
      bytes += document.key.size() + (document.value ? document.value->size() : 0);
      documents.push_back(std::move(document));
    }
    if (complete) break;
    from = documents.back().key;
  }
  return documents;
}

absl::StatusOr<std::vector<std::string>> RedisStore::Partitions(const std::string& prefix) {
  const std::string list = RedisPartitionList(name_);
  // Members have no sign here.
  RedisRange range{"-", "+"};
  if (!prefix.empty()) range = IndexRange(prefix.substr(0, 1), prefix.substr(1), "");
  const RedisOutcome outcome = Read(RedisSlot(list), {"ZRANGEBYLEX", list, range.least, range.most});
  if (!outcome.status.ok()) return outcome.status;
  std::vector<std::string> candidates, names;
  for (size_t i = 0; i < Size(*outcome.reply); ++i) candidates.emplace_back(Text(At(*outcome.reply, i)));
  const auto ends = ReadEnds(candidates);
  for (size_t i = 0; i < ends.size(); ++i) {
    if (!ends[i].ok()) return ends[i].status();
    if (ends[i]->exists) names.push_back(std::move(candidates[i]));
  }
  return names;
}

// ---- Feeds

absl::StatusOr<RedisStore::End> RedisStore::ReadEnd(const std::string& partition) { return std::move(ReadEnds({partition}).front()); }

std::vector<absl::StatusOr<RedisStore::End>> RedisStore::ReadEnds(const std::vector<std::string>& partitions) {
  const auto to_end = [](const std::string& partition, const RedisOutcome& outcome) -> absl::StatusOr<End> {
    if (!outcome.status.ok()) return outcome.status;
    if (Size(*outcome.reply) != 2) return Corrupt(partition);
    const redisReply &last = At(*outcome.reply, 0), &durable = At(*outcome.reply, 1);
    return End{static_cast<uint64_t>(Number(last)), static_cast<uint64_t>(Number(durable)), last.type == REDIS_REPLY_STRING};
  };
  std::vector<RedisKeys> keys;
  keys.reserve(partitions.size());
  std::map<RedisEndpoint, std::vector<size_t>> by_server;
  for (size_t i = 0; i < partitions.size(); ++i) {
    keys.emplace_back(name_, partitions[i]);
    if (auto endpoint = topology_->Find(keys[i].slot, dialer_.Deadline()); endpoint.ok()) by_server[*endpoint].push_back(i);
  }
  const auto command = [&keys](size_t i) { return RedisCommand{"HMGET", keys[i].data, "#last", "#durable"}; };
  std::vector<absl::StatusOr<End>> ends(partitions.size(), absl::UnavailableError("not read yet"));
  for (const auto& [endpoint, places] : by_server) {
    if (partitions.size() == 1) break;
    std::vector<RedisCommand> commands;
    for (const size_t i : places) commands.push_back(command(i));
    auto outcomes = NodeAt(endpoint)->pool.Read(commands);
    for (size_t n = 0; n < places.size(); ++n) ends[places[n]] = to_end(partitions[places[n]], outcomes[n]);
  }
  // What could not be read with others is read alone, with redirections and patience.
  for (size_t i = 0; i < ends.size(); ++i) {
    if (ends[i].ok()) continue;
    ends[i] = to_end(partitions[i], Read(keys[i].slot, command(i)));
    if (!ends[i].ok()) break;
  }
  return ends;
}

uint64_t RedisStore::Visible(const std::string& partition, const End& end) {
  const bool at_once = dialer_.address().wait == 0;
  NoteDurable(partition, at_once ? end.last : std::min(end.last, end.durable));
  if (at_once) return end.last;
  const uint64_t visible = std::min(end.last, KnownDurable(partition));
  if (visible < end.last) NoteBehind(partition);
  return visible;
}

uint64_t RedisStore::KnownDurable(const std::string& partition) {
  std::lock_guard guard(feeds_mutex_);
  const auto found = feeds_.find(partition);
  return found == feeds_.end() ? 0 : found->second.durable;
}

std::condition_variable& RedisStore::FeedChanged(const std::string& partition) {
  return feed_changed_[std::hash<std::string>()(partition) % feed_changed_.size()];
}

void RedisStore::NoteDurable(const std::string& partition, uint64_t sequence) {
  if (sequence == 0) return;  // Whoever asks for partitions that are not there takes no memory.
  {
    std::lock_guard guard(feeds_mutex_);
    Feed& feed = feeds_[partition];
    if (sequence <= feed.durable) return;
    feed.durable = sequence;
  }
  FeedChanged(partition).notify_all();
}

void RedisStore::NoteBehind(const std::string& partition) {
  std::lock_guard guard(feeds_mutex_);
  feeds_[partition].behind = true;
}

absl::StatusOr<std::vector<FeedEvent>> RedisStore::ReadFeed(const std::string& partition, uint64_t after_sequence, size_t limit) {
  std::vector<FeedEvent> events;
  if (after_sequence >= kMaxSequence) return events;
  const std::string known = dialer_.address().wait == 0 ? "inf" : std::to_string(KnownDurable(partition));
  const RedisKeys keys(name_, partition);
  uint64_t after = after_sequence;
  size_t bytes = 0;
  while (events.size() < limit && bytes < kMaxReadBytes) {
    const size_t page = std::min(limit - events.size(), kMaxFeedPage);
    const RedisOutcome outcome = ReadScript(keys.slot, FeedScript(), {keys.data, keys.feed},
                                            {std::to_string(after), known, std::to_string(page), std::to_string(kMaxPageBytes)});
    if (!outcome.status.ok()) return outcome.status;
    const redisReply& reply = *outcome.reply;
    if (Size(reply) < 2) return Corrupt(partition);
    const uint64_t visible = Visible(partition, {static_cast<uint64_t>(Number(At(reply, 0))), static_cast<uint64_t>(Number(At(reply, 1)))});
    for (size_t i = 2; i < Size(reply); ++i) {
      events.push_back({++after, std::string(Text(At(reply, i)))});
      bytes += events.back().value.size();
    }
    if (Size(reply) == 2 || after >= visible) break;
  }
  return events;
}

absl::StatusOr<uint64_t> RedisStore::LastSequence(const std::string& partition) {
  auto end = ReadEnd(partition);
  if (!end.ok()) return end.status();
  const uint64_t visible = Visible(partition, *end);
  if (visible == end->last) return visible;
  // Whoever wrote the last events may have shown them and ended before the mark was set: the end must not seem to have gone back.
  if (absl::Status status = Confirm(partition); !status.ok()) return status;
  return Visible(partition, *end);
}

absl::StatusOr<bool> RedisStore::WaitFeed(const std::string& partition, uint64_t after_sequence, milliseconds timeout) {
  const auto until = steady_clock::now() + timeout;
  const auto shutting_down = [] { return status::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the service is shutting down"); };
  {
    std::lock_guard guard(feeds_mutex_);
    if (interrupted_) return shutting_down();
  }
  auto end = ReadEnd(partition);
  if (!end.ok()) return end.status();
  if (Visible(partition, *end) > after_sequence) return true;
  std::unique_lock lock(feeds_mutex_);
  ++feeds_[partition].waiters;
  if (waiters_++ == 0) watcher_wakes_.notify_all();
  bool grown = false;
  FeedChanged(partition).wait_until(lock, until, [&] {
    grown = feeds_[partition].durable > after_sequence;
    return grown || interrupted_;
  });
  --waiters_;
  if (Feed& feed = feeds_[partition]; --feed.waiters == 0 && feed.durable == 0 && !feed.behind) feeds_.erase(partition);
  if (interrupted_) return shutting_down();
  if (!grown && !watch_error_.ok()) return watch_error_;
  return grown;
}

void RedisStore::Interrupt() {
  {
    std::lock_guard guard(feeds_mutex_);
    interrupted_ = true;
  }
  for (std::condition_variable& changed : feed_changed_) changed.notify_all();
}

void RedisStore::RunWatcher() {
  std::unique_lock lock(feeds_mutex_);
  while (!stopping_) {
    watcher_wakes_.wait(lock, [this] { return stopping_ || waiters_ > 0; });
    std::vector<std::string> watched;
    for (const auto& [partition, feed] : feeds_) {
      if (feed.waiters > 0) watched.push_back(partition);
    }
    lock.unlock();
    absl::Status error;
    const auto ends = ReadEnds(watched);
    for (size_t i = 0; i < watched.size(); ++i) {
      if (ends[i].ok()) Visible(watched[i], *ends[i]);
      if (error.ok()) error = ends[i].status();
    }
    lock.lock();
    watch_error_ = error;
    watcher_wakes_.wait_for(lock, error.ok() ? kWatchPause : kWatchPauseAfterError, [this] { return stopping_; });
  }
}

// ---- Health

absl::Status RedisStore::Health() {
  std::lock_guard guard(health_mutex_);
  return health_;
}

void RedisStore::RunKeeper() {
  std::unique_lock lock(feeds_mutex_);
  while (!keeper_wakes_.wait_for(lock, kKeeperPause, [this] { return stopping_; })) {
    lock.unlock();
    ConfirmFeedsBehind();
    const absl::Status status = Later(CheckServers());
    {
      std::lock_guard guard(health_mutex_);
      health_ = status;
    }
    lock.lock();
  }
}

absl::Status RedisStore::CheckServers() {
  const absl::Status refreshed = topology_->Refresh(dialer_.Deadline());
  const auto primaries = topology_->Primaries();
  absl::Status status = primaries.empty() ? refreshed : absl::OkStatus();
  if (refreshed.ok()) DropOldNodes(primaries);
  for (const RedisEndpoint& primary : primaries) {
    absl::Status checked = CheckServer(*NodeAt(primary), primary);
    if (status.ok()) status = checked;
  }
  if (!CanBeRead(status)) StartAnew();
  return status;
}

absl::Status RedisStore::CheckServer(Node& node, const RedisEndpoint& primary) {
  std::set<RedisEndpoint> following;
  absl::Status status = node.pool.Check(following);
  if (CanBeRead(status) && dialer_.address().wait_all) RequireReplicas(node.writer, primary, following);
  if (!status.ok() || node.writer.last_status().ok()) return status;
  // The last writes failed, and perhaps nobody writes while we say so: something that changes nothing shows whether the next will.
  node.writer.Write({&AdvanceScript(), {name_ + ":"}, {"0"}});
  return node.writer.last_status();
}

void RedisStore::RequireReplicas(RedisWriter& writer, const RedisEndpoint& primary, const std::set<RedisEndpoint>& following) {
  // One that has left may be about to take the primary's place. If it is, somebody knows by now.
  const bool fewer = writer.CountReplicas(following) < writer.required();
  if (fewer && (!topology_->Refresh(dialer_.Deadline()).ok() || topology_->Primaries() != std::vector<RedisEndpoint>{primary})) return;
  writer.Require(writer.CountReplicas(following));
}

void RedisStore::ConfirmFeedsBehind() {
  std::vector<std::string> behind;
  {
    std::lock_guard guard(feeds_mutex_);
    for (auto& [partition, feed] : feeds_) {
      if (std::exchange(feed.behind, false)) behind.push_back(partition);
    }
  }
  if (behind.empty() || dialer_.address().wait == 0) return;
  const auto ends = ReadEnds(behind);
  for (size_t i = 0; i < behind.size(); ++i) {
    const bool still = !ends[i].ok() || ends[i]->durable < ends[i]->last;
    if (still && !Confirm(behind[i]).ok()) NoteBehind(behind[i]);
  }
}

}  // namespace peiling::storage
