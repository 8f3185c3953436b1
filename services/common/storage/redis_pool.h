// Connections to one Redis server for reading: bounded in number, each used by one caller at a time, closed when they are old or ill.
// Private to this library.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "services/common/storage/redis_address.h"
#include "services/common/storage/redis_connection.h"
#include "services/common/storage/redis_dialer.h"
#include "services/common/storage/redis_reply.h"

namespace peiling::storage {

// Thread-safe.
class RedisPool {
 public:
  RedisPool(const RedisDialer& dialer, RedisEndpoint endpoint) : dialer_(dialer), endpoint_(std::move(endpoint)) {}

  // Sends commands in one pipeline and gives what became of each. All of them may be sent again after kTryAgain: only for reading.
  std::vector<RedisOutcome> Read(const std::vector<RedisCommand>& commands);
  // How the server does (RedisDialer::Check), over a connection of its own. When it cannot be read, connections made before are not used
  // again. Called by one thread at a time.
  absl::Status Check(std::set<RedisEndpoint>& following);

 private:
  using Connection = std::unique_ptr<RedisConnection>;

  absl::StatusOr<Connection> Take(RedisDeadline deadline);
  void GiveBack(Connection connection);
  // An idle connection that is still good, or none.
  Connection TakeIdle();
  // A new connection; the error of a moment ago instead of a second try at once.
  absl::StatusOr<Connection> Dial(RedisDeadline deadline);
  void Clear();

  const RedisDialer& dialer_;
  const RedisEndpoint endpoint_;
  Connection checked_;  // Of Check.

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<Connection> idle_;
  int taken_ = 0;
  absl::Status dial_error_;
  std::chrono::steady_clock::time_point dial_failed_{};
};

}  // namespace peiling::storage
