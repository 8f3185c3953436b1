#include "services/common/storage/redis_pool.h"

#include <utility>

namespace peiling::storage {
namespace {

using std::chrono::steady_clock;

// Names may lead elsewhere after a while, and passwords and certificates change.
constexpr std::chrono::minutes kMaxAge(10);
constexpr std::chrono::milliseconds kDialPause(100);

bool IsGood(const std::unique_ptr<RedisConnection>& connection) {
  return connection != nullptr && connection->usable() && steady_clock::now() < connection->created() + kMaxAge;
}

}  // namespace

std::vector<RedisOutcome> RedisPool::Read(const std::vector<RedisCommand>& commands) {
  const auto fail = [&](const absl::Status& status) {
    std::vector<RedisOutcome> outcomes(commands.size());
    for (RedisOutcome& outcome : outcomes) outcome = RedisOutcome::Failed(status, RedisOutcome::Next::kTryAgain);
    return outcomes;
  };
  const RedisDeadline deadline = dialer_.Deadline();
  auto connection = Take(deadline);
  if (!connection.ok()) return fail(connection.status());
  for (const RedisCommand& command : commands) (*connection)->Append(command);
  auto replies = (*connection)->Exchange(deadline);
  GiveBack(std::move(*connection));
  if (!replies.ok()) {
    Clear();
    return fail(replies.status());
  }
  std::vector<RedisOutcome> outcomes;
  outcomes.reserve(replies->size());
  for (RedisReply& reply : *replies) outcomes.push_back(RedisOutcome::Of(std::move(reply)));
  return outcomes;
}

absl::Status RedisPool::Check(std::set<RedisEndpoint>& following) {
  const RedisDeadline deadline = dialer_.Deadline();
  absl::Status status;
  if (!IsGood(checked_)) {
    auto connection = dialer_.DialServer(endpoint_, deadline);
    status = connection.status();
    checked_ = connection.ok() ? std::move(*connection) : nullptr;
  }
  if (status.ok()) status = dialer_.Check(*checked_, deadline, following);
  if (!CanBeRead(status)) {
    checked_.reset();
    Clear();
  }
  return status;
}

absl::StatusOr<RedisPool::Connection> RedisPool::Take(RedisDeadline deadline) {
  {
    std::unique_lock lock(mutex_);
    const bool free = freed_.wait_until(lock, deadline, [this] { return taken_ < dialer_.address().pool; });
    if (!free) {
      return RedisError(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", endpoint_.ToString(), "all connections are in use");
    }
    ++taken_;
  }
  if (Connection idle = TakeIdle()) return idle;
  auto connection = Dial(deadline);
  if (!connection.ok()) GiveBack(nullptr);
  return connection;
}

void RedisPool::GiveBack(Connection connection) {
  {
    std::lock_guard guard(mutex_);
    --taken_;
    if (connection != nullptr) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

RedisPool::Connection RedisPool::TakeIdle() {
  while (true) {
    Connection connection;
    {
      std::lock_guard guard(mutex_);
      if (idle_.empty()) return nullptr;
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    if (IsGood(connection)) return connection;
  }
}

absl::StatusOr<RedisPool::Connection> RedisPool::Dial(RedisDeadline deadline) {
  {
    std::lock_guard guard(mutex_);
    if (!dial_error_.ok() && steady_clock::now() < dial_failed_ + kDialPause) return dial_error_;
  }
  auto connection = dialer_.DialServer(endpoint_, deadline);
  std::lock_guard guard(mutex_);
  dial_error_ = connection.status();
  dial_failed_ = steady_clock::now();
  return connection;
}

void RedisPool::Clear() {
  std::vector<Connection> closed;
  std::lock_guard guard(mutex_);
  closed.swap(idle_);
}

}  // namespace peiling::storage
