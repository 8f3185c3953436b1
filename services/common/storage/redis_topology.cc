#include "services/common/storage/redis_topology.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "services/common/status/errors.h"
#include "services/common/storage/redis_keys.h"

namespace peiling::storage {
namespace {

using std::chrono::steady_clock;

// Those who know are not asked more often, however many calls fail.
constexpr std::chrono::milliseconds kPause(50);
// The most one of those who know may take, so that there is time for the others.
constexpr std::chrono::milliseconds kMaxAnswer(500);

absl::Status Unavailable(const std::string& message) {
  return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", message);
}

class OneServer final : public RedisTopology {
 public:
  explicit OneServer(RedisEndpoint endpoint) : endpoint_(std::move(endpoint)) {}
  absl::StatusOr<RedisEndpoint> Find(int, RedisDeadline) override { return endpoint_; }
  absl::Status Refresh(RedisDeadline) override { return absl::OkStatus(); }
  void Suspect() override {}
  void Moved(int, const RedisEndpoint&) override {}
  std::vector<RedisEndpoint> Primaries() override { return {endpoint_}; }

 private:
  const RedisEndpoint endpoint_;
};

// What Sentinels and Clusters share: somebody is asked, one thread at a time, and what was said is kept until it is suspected.
template <typename Knowledge>
class Asked : public RedisTopology {
 public:
  explicit Asked(const RedisDialer& dialer) : dialer_(dialer), sources_(dialer.address().endpoints) {}

  absl::Status Refresh(RedisDeadline deadline) override {
    std::lock_guard asking(asking_);
    return Ask(deadline);
  }

  void Suspect() override {
    std::lock_guard guard(mutex_);
    suspected_ = true;
  }

 protected:
  // Asks one of those who know.
  virtual absl::StatusOr<Knowledge> AskOne(const RedisEndpoint& source, RedisDeadline deadline) = 0;
  // Whether one answer may be outdated by another's, so that all are asked; Merge makes one of two.
  virtual bool ask_all() const { return false; }
  virtual Knowledge Merge(const Knowledge& first, const Knowledge&) const { return first; }
  // Whether what is known can be gone by: OK, or why not.
  virtual absl::Status Usable(const Knowledge&) const { return absl::OkStatus(); }

  // What is known, asked for when nothing is or it is suspected.
  absl::StatusOr<Knowledge> Known(RedisDeadline deadline) {
    if (auto known = Current()) return *known;
    std::lock_guard asking(asking_);
    if (auto known = Current()) return *known;  // Somebody else has asked meanwhile.
    if (steady_clock::now() >= asked_ + kPause) {
      asked_error_ = Ask(deadline);
      asked_ = steady_clock::now();
    }
    if (!asked_error_.ok()) return asked_error_;
    std::lock_guard guard(mutex_);
    return *knowledge_;
  }

  std::optional<Knowledge> Current() {
    std::lock_guard guard(mutex_);
    return suspected_ ? std::nullopt : knowledge_;
  }

  const RedisDialer& dialer_;
  std::mutex mutex_;
  std::optional<Knowledge> knowledge_;

 private:
  absl::Status Ask(RedisDeadline deadline) {
    std::string why;
    std::optional<Knowledge> best;
    for (size_t i = 0; i < sources_.size() && (!best || ask_all()); ++i) {
      const auto answer_by = std::min(deadline, steady_clock::now() + std::min(kMaxAnswer, dialer_.address().timeout));
      auto knowledge = AskOne(sources_[i], answer_by);
      if (!knowledge.ok()) {
        why += (why.empty() ? "" : "; ") + std::string(knowledge.status().message());
        continue;
      }
      best = best ? Merge(*best, *knowledge) : std::move(*knowledge);
      // Whoever answered is asked first next time.
      std::rotate(sources_.begin(), sources_.begin() + static_cast<ptrdiff_t>(i), sources_.begin() + static_cast<ptrdiff_t>(i) + 1);
    }
    if (!best) return Unavailable("nobody tells where the primary is: " + why);
    std::lock_guard guard(mutex_);
    if (absl::Status usable = Usable(*best); !usable.ok()) {
      suspected_ = true;
      return usable;
    }
    knowledge_ = std::move(*best);
    suspected_ = false;
    return absl::OkStatus();
  }

  std::mutex asking_;
  std::vector<RedisEndpoint> sources_;
  steady_clock::time_point asked_{};
  absl::Status asked_error_;
  bool suspected_ = true;
};

// A field of the names and values that a Sentinel tells of a server.
std::string_view Field(const redisReply& server, std::string_view name) {
  for (size_t i = 0; i + 1 < Size(server); i += 2) {
    if (Text(At(server, i)) == name) return Text(At(server, i + 1));
  }
  return {};
}

// A primary as a Sentinel names it. Each failover has a higher epoch.
struct NamedPrimary {
  RedisEndpoint endpoint;
  int64_t epoch = 0;
  // Another is being put in its place, and it may not know.
  bool being_replaced = false;
  // Its replicas that are up.
  std::set<RedisEndpoint> successors;
};

class BySentinel final : public Asked<NamedPrimary> {
 public:
  using Asked::Asked;
  absl::StatusOr<RedisEndpoint> Find(int, RedisDeadline deadline) override {
    auto known = Known(deadline);
    if (!known.ok()) return known.status();
    return known->endpoint;
  }
  void Moved(int, const RedisEndpoint&) override {}
  std::set<RedisEndpoint> Successors() override {
    std::lock_guard guard(mutex_);
    return knowledge_ ? knowledge_->successors : std::set<RedisEndpoint>();
  }
  std::vector<RedisEndpoint> Primaries() override {
    std::lock_guard guard(mutex_);
    return knowledge_ ? std::vector<RedisEndpoint>{knowledge_->endpoint} : std::vector<RedisEndpoint>();
  }

 private:
  // A Sentinel cut off from the others, with the primary that was, does not know that they have made another one.
  bool ask_all() const override { return true; }
  NamedPrimary Merge(const NamedPrimary& a, const NamedPrimary& b) const override {
    NamedPrimary merged = b.epoch > a.epoch ? b : a;
    if (a.epoch == b.epoch) {
      merged.being_replaced = a.being_replaced || b.being_replaced;
      merged.successors.insert(b.successors.begin(), b.successors.end());
    }
    return merged;
  }
  absl::Status Usable(const NamedPrimary& primary) const override {
    return primary.being_replaced ? Unavailable("a failover from " + primary.endpoint.ToString() + " is under way") : absl::OkStatus();
  }

  absl::StatusOr<NamedPrimary> AskOne(const RedisEndpoint& sentinel, RedisDeadline deadline) override {
    auto connection = dialer_.DialSentinel(sentinel, deadline);
    if (!connection.ok()) return connection.status();
    const std::string& name = dialer_.address().primary;
    (*connection)->Append({"SENTINEL", "MASTER", name});
    (*connection)->Append({"SENTINEL", "REPLICAS", name});
    auto replies = (*connection)->Exchange(deadline);
    if (!replies.ok()) return replies.status();
    const redisReply& reply = *replies->front();
    NamedPrimary primary;
    primary.endpoint = {std::string(Field(reply, "ip")), static_cast<int>(ToNumber(Field(reply, "port")))};
    primary.epoch = ToNumber(Field(reply, "config-epoch"));
    primary.being_replaced = Field(reply, "flags").find("failover_in_progress") != std::string_view::npos;
    const redisReply& replicas = **std::next(replies->begin());
    for (size_t i = 0; i < Size(replicas); ++i) {
      const redisReply& replica = At(replicas, i);
      const bool up = Field(replica, "flags").find("down") == std::string_view::npos;
      if (up) primary.successors.insert({std::string(Field(replica, "ip")), static_cast<int>(ToNumber(Field(replica, "port")))});
    }
    if (!primary.endpoint.host.empty()) return primary;
    return Unavailable("Sentinel " + sentinel.ToString() + " knows no primary " + name + " " + std::string(Text(reply)));
  }
};

// Slots by their last, with the first and the primary.
struct SlotRange {
  int first = 0;
  RedisEndpoint primary;
};
using SlotMap = std::map<int, SlotRange>;

class ByCluster final : public Asked<std::shared_ptr<const SlotMap>> {
 public:
  using Asked::Asked;

  absl::StatusOr<RedisEndpoint> Find(int slot, RedisDeadline deadline) override {
    auto map = Known(deadline);
    if (!map.ok()) return map.status();
    const auto found = (*map)->lower_bound(slot);
    if (found != (*map)->end() && found->second.first <= slot) return found->second.primary;
    Suspect();
    return Unavailable("no server of the Cluster has slot " + std::to_string(slot));
  }

  void Moved(int slot, const RedisEndpoint& endpoint) override {
    std::lock_guard guard(mutex_);
    if (!knowledge_) return;
    SlotMap map = **knowledge_;
    const auto found = map.lower_bound(slot);
    if (found != map.end() && found->second.first <= slot) {
      const auto [last, range] = *found;
      if (range.first < slot) map[slot - 1] = range;
      if (slot < last) {
        found->second.first = slot + 1;
      }
    }
    map[slot] = {slot, endpoint};
    knowledge_ = std::make_shared<const SlotMap>(std::move(map));
  }

  std::vector<RedisEndpoint> Primaries() override {
    std::lock_guard guard(mutex_);
    std::set<RedisEndpoint> primaries;
    if (knowledge_) {
      for (const auto& [last, range] : **knowledge_) primaries.insert(range.primary);
    }
    return {primaries.begin(), primaries.end()};
  }

 private:
  absl::StatusOr<std::shared_ptr<const SlotMap>> AskOne(const RedisEndpoint& node, RedisDeadline deadline) override {
    auto connection = dialer_.DialNode(node, deadline);
    if (!connection.ok()) return connection.status();
    (*connection)->Append({"CLUSTER", "SLOTS"});
    auto replies = (*connection)->Exchange(deadline);
    if (!replies.ok()) return replies.status();
    const redisReply& ranges = *replies->front();
    if (Size(ranges) == 0) return Unavailable("Redis " + node.ToString() + " knows no slots " + std::string(Text(ranges)));
    auto map = std::make_shared<SlotMap>();
    for (size_t i = 0; i < Size(ranges); ++i) {
      const redisReply& range = At(ranges, i);
      if (Size(range) < 3 || Size(At(range, 2)) < 2) continue;
      // No host: the one that was asked.
      const std::string_view host = Text(At(At(range, 2), 0));
      const RedisEndpoint primary{host.empty() ? node.host : std::string(host), static_cast<int>(Number(At(At(range, 2), 1)))};
      (*map)[static_cast<int>(Number(At(range, 1)))] = {static_cast<int>(Number(At(range, 0))), primary};
    }
    return std::shared_ptr<const SlotMap>(std::move(map));
  }
};

}  // namespace

std::unique_ptr<RedisTopology> RedisTopology::Make(const RedisDialer& dialer) {
  switch (dialer.address().kind) {
    case RedisAddress::Kind::kSentinel:
      return std::make_unique<BySentinel>(dialer);
    case RedisAddress::Kind::kCluster:
      return std::make_unique<ByCluster>(dialer);
    case RedisAddress::Kind::kServer:
      break;
  }
  return std::make_unique<OneServer>(dialer.address().endpoints.front());
}

}  // namespace peiling::storage
