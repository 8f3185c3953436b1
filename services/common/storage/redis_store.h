// The store on Redis: several processes may have it open at once. Private to this library; use OpenStore.
//
// Every partition lives on one server (redis_keys.h). A commit is one Lua script there; it is answered when the server has it on disk
// (appendfsync always) and WAIT has counted enough replicas. Where replicas are waited for, a commit can be seen before it is safe, so
// each feed has a mark up to which it is durable, set by the writer after its WAIT: feeds show nothing beyond it. A mark left behind by
// a writer that died is moved on by whoever sees it: it writes something, waits for the replicas and sets the mark (Confirm).
// After a failover, sequences beyond the mark may be given to other events; nobody has seen them. Versions may be given again too: what a
// thread has read before the servers changed it can neither commit on nor confirm (ABORTED, UNAVAILABLE); it reads again.
//
// A write that was sent and not answered is never sent again: UNAVAILABLE, and the caller tries again with the same request_id.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "services/common/storage/redis_dialer.h"
#include "services/common/storage/redis_keys.h"
#include "services/common/storage/redis_pool.h"
#include "services/common/storage/redis_topology.h"
#include "services/common/storage/redis_writer.h"
#include "services/common/storage/store.h"

namespace peiling::storage {

class RedisStore final : public Store {
 public:
  // Tries for ten seconds when no server answers, then UNAVAILABLE. What somebody has to mend is said at once: INVALID_ARGUMENT/
  // STORAGE_ADDRESS, and the FAILED_PRECONDITIONs of RedisDialer.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& address, const std::string& name);

  ~RedisStore() override;

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
  absl::Status Confirm(const std::string& partition) override;
  absl::Status Health() override;
  absl::StatusOr<std::vector<SavedDocument>> Save(const std::string& partition, const std::string& after, size_t limit) override;
  absl::Status Restore(const std::string& partition, const std::vector<SavedDocument>& documents,
                       const std::vector<FeedEvent>& events) override;
  void Interrupt() override;

 private:
  // A server: its readers and its writer.
  struct Node {
    Node(const RedisDialer& dialer, RedisTopology& topology, const RedisEndpoint& endpoint)
        : pool(dialer, endpoint), writer(dialer, topology, endpoint) {}
    RedisPool pool;
    RedisWriter writer;
  };
  // A feed that was asked for, or has grown by us.
  struct Feed {
    // Known to be durable up to here, whatever the mark in Redis says: it may be behind.
    uint64_t durable = 0;
    int waiters = 0;
    // Seen with events beyond the mark.
    bool behind = false;
  };
  // The end of a feed as Redis has it.
  struct End {
    uint64_t last = 0, durable = 0;
    // Whether the partition was ever written to.
    bool exists = false;
  };
  // A part of the index with its documents.
  struct Page {
    bool complete = false;
    std::vector<SavedDocument> documents;
  };

  RedisStore(RedisAddress address, std::string name);
  absl::Status Connect();
  void Start();

  std::shared_ptr<Node> NodeAt(const RedisEndpoint& endpoint);
  // Makes an attempt at the server that has the slot until it gives an answer, following redirections, or patience ends.
  RedisOutcome Try(int slot, const std::function<RedisOutcome(Node&, bool asking)>& attempt);
  // The calling thread reads in the present generation_ of servers.
  void NoteReading();
  // The generation_ of its first reading since this was last asked, and of its last reading; the present one when there was none.
  uint64_t TakeFirstRead();
  uint64_t LastRead() const;
  RedisOutcome Read(int slot, const RedisCommand& command);
  RedisOutcome ReadScript(int slot, const RedisScript& script, const std::vector<std::string>& keys,
                          const std::vector<std::string>& arguments);
  RedisOutcome Write(int slot, RedisWrite write);
  // Of many partitions at once, each from its server; an error where it could not be read at once.
  std::vector<absl::StatusOr<End>> ReadEnds(const std::vector<std::string>& partitions);
  absl::StatusOr<End> ReadEnd(const std::string& partition);

  // Puts a partition on the list of partitions, durably, unless it is known to be there.
  absl::Status Enlist(const std::string& partition);
  absl::StatusOr<std::vector<Page>> ReadPages(const std::string& partition, const std::vector<RedisRange>& ranges, size_t limit);

  // What of a feed may be shown, noting what was learnt.
  uint64_t Visible(const std::string& partition, const End& end);
  uint64_t KnownDurable(const std::string& partition);
  void NoteDurable(const std::string& partition, uint64_t sequence);
  std::condition_variable& FeedChanged(const std::string& partition);
  void NoteBehind(const std::string& partition);

  // Asks for the ends of feeds that somebody waits for.
  void RunWatcher();
  // Looks after servers, topology and feeds that are behind.
  void RunKeeper();
  // As Health says, but with the FAILED_PRECONDITIONs as they are.
  absl::Status CheckServers();
  absl::Status CheckServer(Node& node, const RedisEndpoint& primary);
  // Lets writes to a primary wait for those who follow; for fewer than before only when it is surely still the primary.
  void RequireReplicas(RedisWriter& writer, const RedisEndpoint& primary, const std::set<RedisEndpoint>& following);
  void DropOldNodes(const std::vector<RedisEndpoint>& primaries);
  // What was learnt of the servers may hold no longer.
  void StartAnew();
  void ConfirmFeedsBehind();

  const RedisDialer dialer_;
  const std::string name_;
  const uint64_t instance_;
  const std::unique_ptr<RedisTopology> topology_;

  std::mutex nodes_mutex_;
  std::map<RedisEndpoint, std::shared_ptr<Node>> nodes_;
  // Rises when servers come or go.
  std::atomic<uint64_t> generation_ = 1;
  std::set<std::string> enlisted_;

  std::mutex feeds_mutex_;
  // Waiters of a feed share one with few others: who waits for a quiet feed is not woken for every commit.
  std::array<std::condition_variable, 64> feed_changed_;
  std::unordered_map<std::string, Feed> feeds_;
  int waiters_ = 0;
  absl::Status watch_error_;  // Of the watcher's last reading.
  bool interrupted_ = false;
  bool stopping_ = false;
  std::condition_variable watcher_wakes_, keeper_wakes_;

  std::mutex health_mutex_;
  absl::Status health_;

  std::thread watcher_, keeper_;
};

}  // namespace peiling::storage
