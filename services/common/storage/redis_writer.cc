#include "services/common/storage/redis_writer.h"

#include <algorithm>
#include <list>
#include <utility>

#include "services/common/status/errors.h"
#include "services/common/storage/redis_keys.h"

namespace peiling::storage {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMaxQueued = 512;
constexpr size_t kMaxGroup = 256;
constexpr size_t kMaxGroupBytes = 16 << 20;
// The most the writer waits for a group to fill.
constexpr std::chrono::microseconds kMaxLinger(1000);
// How long news of what is durable waits for a write to go with: a write of its own costs a fsync.
constexpr std::chrono::microseconds kAdvanceLinger(1000);
constexpr std::chrono::minutes kMaxAge(10);

size_t BytesOf(const RedisWrite& write) {
  size_t bytes = 0;
  for (const std::string& argument : write.arguments) bytes += argument.size();
  return bytes;
}

}  // namespace

RedisWriter::RedisWriter(const RedisDialer& dialer, RedisTopology& topology, RedisEndpoint endpoint)
    : dialer_(dialer), topology_(topology), endpoint_(std::move(endpoint)), required_(dialer.address().wait) {
  thread_ = std::thread(&RedisWriter::Run, this);
}

RedisWriter::~RedisWriter() {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

RedisOutcome RedisWriter::Write(const RedisWrite& write) {
  Item item{&write, {}};
  std::shared_ptr<Group> group;
  const size_t bytes = BytesOf(write);
  bool wake = false;
  {
    std::lock_guard guard(mutex_);
    if (queued_ >= kMaxQueued) {
      return RedisOutcome::Failed(
          status::Error(absl::StatusCode::kResourceExhausted, "STORAGE_BUSY", "too many commits are waiting; try again later"),
          RedisOutcome::Next::kFinal);
    }
    if (queue_.empty() || queue_.back()->items.size() >= kMaxGroup || queue_.back()->bytes + bytes > kMaxGroupBytes) {
      queue_.push_back(std::make_shared<Group>());
    }
    group = queue_.back();
    group->items.push_back(&item);
    group->bytes += bytes;
    ++queued_;
    wake = queued_ == 1 || queued_ == wanted_;
  }
  if (wake) changed_.notify_one();
  group->done.wait(0);
  return std::move(item.outcome);
}

void RedisWriter::Advance(const std::string& data_key, uint64_t sequence) {
  bool wake = false;
  {
    std::lock_guard guard(mutex_);
    wake = advances_.empty();
    uint64_t& reached = advances_[data_key];
    reached = std::max(reached, sequence);
  }
  if (wake) changed_.notify_one();
}

absl::Status RedisWriter::last_status() {
  std::lock_guard guard(mutex_);
  return last_status_;
}

void RedisWriter::Run() {
  std::chrono::microseconds linger(0);
  while (std::shared_ptr<Group> group = NextGroup(linger)) {
    const auto begin = steady_clock::now();
    Execute(*group);
    linger = std::min(std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin) / 4, kMaxLinger);
    group->done.store(1);
    group->done.notify_all();
  }
}

std::shared_ptr<RedisWriter::Group> RedisWriter::NextGroup(std::chrono::microseconds linger) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !queue_.empty() || !advances_.empty(); });
  if (queue_.empty()) changed_.wait_for(lock, kAdvanceLinger, [this] { return stopping_ || !queue_.empty(); });
  // Who was answered together comes back together: without a moment's wait the first one back would go alone and the others wait for it.
  if (!queue_.empty() && wanted_ > 1) changed_.wait_for(lock, linger, [this] { return stopping_ || queued_ >= wanted_; });
  if (queue_.empty() && advances_.empty()) return nullptr;
  auto group = std::make_shared<Group>();
  if (!queue_.empty()) {
    group = std::move(queue_.front());
    queue_.pop_front();
  }
  wanted_ = group->items.size();
  queued_ -= wanted_;
  group->advances.swap(advances_);
  return group;
}

void RedisWriter::Execute(Group& group) {
  std::list<RedisWrite> advances;
  std::list<Item> unasked;
  std::vector<Item*> items;
  // First what was durable before: the WAIT at the end is not for it, but does no harm.
  for (const auto& [key, sequence] : group.advances) {
    advances.push_back({&AdvanceScript(), {key}, {std::to_string(sequence)}});
    unasked.push_back({&advances.back(), {}});
    items.push_back(&unasked.back());
  }
  items.insert(items.end(), group.items.begin(), group.items.end());

  absl::Status status = Send(items, true);
  std::vector<Item*> again;
  for (Item* item : items) {
    if (item->outcome.next == RedisOutcome::Next::kSendWhole) again.push_back(item);
  }
  if (!again.empty()) status = Send(again, false);
  std::lock_guard guard(mutex_);
  last_status_ = status;
}

absl::Status RedisWriter::Send(const std::vector<Item*>& items, bool together) {
  const auto fail = [&items](absl::Status status, RedisOutcome::Next next) {
    for (Item* item : items) item->outcome = RedisOutcome::Failed(status, next);
    return status;
  };
  if (absl::Status status = EnsureConnection(); !status.ok()) return fail(status, RedisOutcome::Next::kTryAgain);
  const std::vector<Transaction> transactions = Transactions(items, together);
  for (const Transaction& transaction : transactions) AppendTransaction(transaction, !together);
  const bool wait_all = dialer_.address().wait_all;
  if (wait_all) connection_->Append({"INFO", "replication"});
  const int required = required_;
  AppendWait(required);
  auto replies = connection_->Exchange(dialer_.Deadline() + dialer_.address().wait_timeout);
  if (!replies.ok()) return fail(replies.status(), RedisOutcome::Next::kFinal);
  absl::Status replicated = required > 0 ? Reached(*replies->back(), required) : absl::OkStatus();
  if (wait_all && replicated.ok()) replicated = WaitForMore(*(*replies)[replies->size() - 2], required);
  absl::Status all = replicated;
  auto next = replies->begin();
  for (const Transaction& transaction : transactions) next = TakeReplies(transaction, next);
  for (Item* item : items) {
    RedisOutcome& outcome = item->outcome;
    if (outcome.next == RedisOutcome::Next::kTryAgain) all = outcome.status;
    if (outcome.status.ok()) outcome.status = replicated;
  }
  // Perhaps it is no primary any more: who connects anew looks.
  if (!all.ok()) connection_.reset();
  return all;
}

void RedisWriter::AppendWait(int replicas) {
  if (replicas == 0) return;
  connection_->Append({"WAIT", std::to_string(replicas), std::to_string(dialer_.address().wait_timeout.count())});
}

absl::Status RedisWriter::Reached(const redisReply& waited, int required) const {
  if (Number(waited) >= required) return absl::OkStatus();
  return RedisError(absl::StatusCode::kUnavailable, "STORAGE_NOT_REPLICATED", endpoint_.ToString(),
                    "a write reached " + std::to_string(Number(waited)) + " of " + std::to_string(required) +
                        " replicas in time; whether it lasts is unknown, try again with the same request_id");
}

int RedisWriter::CountReplicas(std::set<RedisEndpoint> following) {
  following.merge(topology_.Successors());
  return std::max(static_cast<int>(following.size()), dialer_.address().wait);
}

absl::Status RedisWriter::WaitForMore(const redisReply& info, int waited_for) {
  const int required = CountReplicas(FollowingReplicas(Text(info)));
  if (required <= waited_for) return absl::OkStatus();
  Require(required);
  AppendWait(required);
  auto replies = connection_->Exchange(dialer_.Deadline() + dialer_.address().wait_timeout);
  return replies.ok() ? Reached(*replies->front(), required) : replies.status();
}

std::vector<RedisWriter::Transaction> RedisWriter::Transactions(const std::vector<Item*>& items, bool together) const {
  const bool cluster = dialer_.address().kind == RedisAddress::Kind::kCluster;
  std::vector<Transaction> transactions;
  std::map<int, Transaction> by_slot;
  for (Item* item : items) {
    if (together && !item->write->asking) {
      by_slot[cluster ? RedisSlot(item->write->keys.front()) : 0].push_back(item);
    } else {
      transactions.push_back({item});
    }
  }
  for (auto& [slot, transaction] : by_slot) transactions.push_back(std::move(transaction));
  return transactions;
}

void RedisWriter::AppendTransaction(const Transaction& transaction, bool whole) {
  if (transaction.size() > 1) connection_->Append({"MULTI"});
  for (const Item* item : transaction) AppendWrite(*item->write, whole);
  if (transaction.size() > 1) connection_->Append({"EXEC"});
}

std::vector<RedisReply>::iterator RedisWriter::TakeReplies(const Transaction& transaction, std::vector<RedisReply>::iterator next) {
  if (transaction.size() == 1) {
    if (transaction.front()->write->asking) ++next;
    transaction.front()->outcome = RedisOutcome::Of(std::move(*next));
    return ++next;
  }
  // Where MULTI is refused, each was executed by itself.
  const bool begun = !IsError(**next++);
  const auto queued = next;
  next += static_cast<ptrdiff_t>(transaction.size());
  redisReply& executed = **next++;
  for (size_t i = 0; i < transaction.size(); ++i) {
    RedisReply& answer = queued[static_cast<ptrdiff_t>(i)];
    if (begun && Size(executed) == transaction.size()) {
      transaction[i]->outcome = RedisOutcome::Of(RedisReply(std::exchange(executed.element[i], nullptr)));
    } else if (!begun || IsError(*answer)) {
      transaction[i]->outcome = RedisOutcome::Of(std::move(answer));
    } else {
      // One of the others was refused, and so none was executed.
      transaction[i]->outcome = RedisOutcome::Failed(
          RedisError(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", endpoint_.ToString(), "a transaction was refused"),
          RedisOutcome::Next::kSendWhole);
    }
  }
  return next;
}

absl::Status RedisWriter::EnsureConnection() {
  if (connection_ != nullptr && connection_->usable() && steady_clock::now() < connection_->created() + kMaxAge) return absl::OkStatus();
  connection_.reset();
  auto connection = dialer_.DialServer(endpoint_, dialer_.Deadline());
  if (!connection.ok()) return connection.status();
  connection_ = std::move(*connection);
  return absl::OkStatus();
}

void RedisWriter::AppendWrite(const RedisWrite& write, bool whole) {
  if (write.asking) connection_->Append({"ASKING"});
  const std::string keys = std::to_string(write.keys.size());
  RedisCommand command = {whole ? "EVAL" : "EVALSHA", whole ? std::string_view(write.script->source) : write.script->sha, keys};
  command.insert(command.end(), write.keys.begin(), write.keys.end());
  command.insert(command.end(), write.arguments.begin(), write.arguments.end());
  connection_->Append(command);
}

}  // namespace peiling::storage
