#include "services/dedup/followers.h"

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/names/partitions.h"
#include "services/dedup/dedup_metrics.h"
#include "services/dedup/membership.h"

namespace peiling::dedup {
namespace {

// One may be waiting for an answer that does not come: they end side by side.
void StopAll(const std::vector<std::unique_ptr<WaveFollower>>& followers) {
  std::vector<std::thread> threads;
  threads.reserve(followers.size());
  for (const auto& follower : followers) threads.emplace_back([&follower] { follower->Stop(); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

Followers::Followers(Upstream& upstream, Waves& waves, std::string replica)
    : upstream_(upstream), ledgers_(waves), replica_(std::move(replica)) {}

Followers::~Followers() { Stop(); }

void Followers::Start() { thread_ = std::thread(&Followers::Run, this); }

void Followers::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Followers::SetWave(const intake::v1::Wave& wave) {
  intake::v1::Wave essence = Essence(wave);
  std::lock_guard lock(mutex_);
  intake::v1::Wave& known = waves_[wave.name()];
  if (known.SerializeAsString() == essence.SerializeAsString()) return;
  known = std::move(essence);
  changed_ = true;
  wake_.notify_all();
}

void Followers::SetMembers(std::set<std::string> members) {
  std::lock_guard lock(mutex_);
  if (members_known_ && members_ == members) return;
  members_known_ = members_known_ || !members.empty();
  members_ = std::move(members);
  changed_ = true;
  wake_.notify_all();
}

void Followers::Run() {
  while (true) {
    Gone gone;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return changed_ || stopping_; });
      changed_ = false;
      gone = TakeGone();
    }
    // Before others of the same partitions begin; not under the lock, health asks for it.
    StopAll(gone);
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (!changed_) StartMissing();
  }
}

std::map<Followers::Key, const intake::v1::Wave*> Followers::Wanted() const {
  std::map<Key, const intake::v1::Wave*> wanted;
  if (stopping_) return wanted;
  for (const auto& [name, wave] : waves_) {
    for (int partition = 0; partition < wave.partitions(); ++partition) {
      if (OwnerOf(names::PartitionName(name, partition), members_) == replica_) wanted.emplace(Key(name, partition), &wave);
    }
  }
  return wanted;
}

Followers::Gone Followers::TakeGone() {
  const auto wanted = Wanted();
  Gone gone;
  for (auto it = followers_.begin(); it != followers_.end();) {
    const auto found = wanted.find(it->first);
    if (found != wanted.end() && found->second->SerializeAsString() == it->second->wave().SerializeAsString()) {
      ++it;
      continue;
    }
    const auto& [wave, partition] = it->first;
    log::Info(found != wanted.end() ? "a wave has changed" : "handing over a partition",
              {{"wave", wave}, {"partition", std::to_string(partition)}, {"reason", ReasonFor(it->first)}});
    gone.push_back(std::move(it->second));
    it = followers_.erase(it);
  }
  SetOwnedPartitions(wanted.size());
  return gone;
}

void Followers::StartMissing() {
  for (const auto& [key, wave] : Wanted()) {
    auto& follower = followers_[key];
    if (follower != nullptr) continue;
    log::Info(
        "taking over a partition",
        {{"wave", key.first}, {"partition", std::to_string(key.second)}, {"frame_date", wave->frame_date()}, {"reason", ReasonFor(key)}});
    follower = std::make_unique<WaveFollower>(upstream_, ledgers_, *wave, key.second);
    follower->Start();
  }
  members_before_ = members_;
}

std::string Followers::ReasonFor(const Key& key) const {
  if (stopping_) return "shutting down";
  if (members_.empty()) return "the store has not been seen for a while";
  const std::string name = names::PartitionName(key.first, key.second);
  const std::string owner = OwnerOf(name, members_);
  const std::string before = OwnerOf(name, members_before_);
  if (owner == before) return "the wave is new or has changed";
  if (before.empty()) return "this replica has begun";
  return members_.contains(before) ? absl::StrCat(owner, " has come") : absl::StrCat(before, " is gone");
}

std::string Followers::not_ready_reason() const {
  std::lock_guard lock(mutex_);
  if (!members_known_) return "does not know the other replicas yet";
  for (const auto& [key, wave] : Wanted()) {
    const std::string name = names::PartitionName(key.first, key.second);
    const auto found = followers_.find(key);
    if (found == followers_.end()) return absl::StrCat("setting up ", name);
    if (std::string reason = found->second->progress().NotReadyReason(name); !reason.empty()) return reason;
  }
  return "";
}

}  // namespace peiling::dedup
