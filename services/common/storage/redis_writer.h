// The writing of one process to one Redis server: the writes of everybody who waits go out together, followed by one WAIT for replicas.
// Private to this library.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "services/common/storage/redis_address.h"
#include "services/common/storage/redis_connection.h"
#include "services/common/storage/redis_dialer.h"
#include "services/common/storage/redis_reply.h"
#include "services/common/storage/redis_scripts.h"
#include "services/common/storage/redis_topology.h"

namespace peiling::storage {

// A script to run, once.
struct RedisWrite {
  const RedisScript* script = nullptr;
  std::vector<std::string> keys, arguments;
  // A slot under way to this server (RedisRedirect::ask).
  bool asking = false;
};

// Thread-safe. Destroyed after the last call has returned.
class RedisWriter {
 public:
  RedisWriter(const RedisDialer& dialer, RedisTopology& topology, RedisEndpoint endpoint);
  ~RedisWriter();

  // Runs a script and waits for its replicas. UNAVAILABLE/STORAGE_NOT_REPLICATED when too few have it in time: then it was executed, and
  // `reply` is there too. RESOURCE_EXHAUSTED/STORAGE_BUSY when too many wait already.
  RedisOutcome Write(const RedisWrite& write);

  // Tells the server in a moment, with whatever is sent next, how far a feed is durable. Nobody waits for it.
  void Advance(const std::string& data_key, uint64_t sequence);

  // From now on so many replicas must have a write; at first as many as the address says.
  void Require(int replicas) { required_ = replicas; }
  int required() const { return required_; }
  // How many must have a write when these follow: they, and who does not follow yet but may be made the primary all the same. That one's
  // lack is not made up for by another's having it.
  int CountReplicas(std::set<RedisEndpoint> following);

  // What became of the last writes: OK, or why they failed as a whole.
  absl::Status last_status();

 private:
  struct Item {
    const RedisWrite* write;
    RedisOutcome outcome;
  };
  // Those whose writes go out together. `done` is waited for by all of them, so that one wake-up reaches them.
  struct Group {
    std::vector<Item*> items;
    size_t bytes = 0;
    std::map<std::string, uint64_t> advances;
    std::atomic<uint32_t> done = 0;
  };

  void Run();
  // Nothing when it is time to end.
  std::shared_ptr<Group> NextGroup(std::chrono::microseconds linger);
  void Execute(Group& group);
  // Sends writes and a WAIT: together, as transactions of digests, or whole and each by itself. Fills in their outcomes and gives what
  // became of them as a whole.
  absl::Status Send(const std::vector<Item*>& items, bool together);
  // Writes that go out as one transaction. Redis syncs its file after every reading from a socket (16 KiB) in which something was executed;
  // those of a transaction are executed at its end.
  using Transaction = std::vector<Item*>;
  std::vector<Transaction> Transactions(const std::vector<Item*>& items, bool together) const;
  void AppendTransaction(const Transaction& transaction, bool whole);
  // Takes the outcomes of a transaction from its replies, and gives the reply after them.
  std::vector<RedisReply>::iterator TakeReplies(const Transaction& transaction, std::vector<RedisReply>::iterator next);
  void AppendWait(int replicas);
  // What an answer to WAIT comes to.
  absl::Status Reached(const redisReply& waited, int required) const;
  // Waits for a replica that has come to follow since it was last asked, by the server's INFO.
  absl::Status WaitForMore(const redisReply& info, int waited_for);
  absl::Status EnsureConnection();
  void AppendWrite(const RedisWrite& write, bool whole);

  const RedisDialer& dialer_;
  RedisTopology& topology_;
  const RedisEndpoint endpoint_;
  std::atomic<int> required_;

  // The thread's own.
  std::unique_ptr<RedisConnection> connection_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Group>> queue_;
  size_t queued_ = 0;
  size_t wanted_ = 0;  // Size of the last group.
  std::map<std::string, uint64_t> advances_;
  absl::Status last_status_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace peiling::storage
