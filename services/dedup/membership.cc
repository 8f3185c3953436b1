#include "services/dedup/membership.h"

#include <optional>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"

namespace peiling::dedup {
namespace {

// Where members are in the store: documents by name, whose value tells one life of a replica from another.
constexpr char kPartition[] = "members";
constexpr char kPrefix[] = "member/";
constexpr size_t kMostMembers = 1000;

std::string RandomLife() {
  std::random_device random;
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad8), absl::Hex(random(), absl::kZeroPad8));
}

// FNV-1a, then the finaliser of MurmurHash3 (both in the public domain): names that differ in their last character alone get hashes that
// have nothing to do with each other.
uint64_t Hash(std::string_view partition, std::string_view member) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::string_view part : {partition, std::string_view("\0", 1), member}) {
    for (const char byte : part) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

}  // namespace

std::string OwnerOf(const std::string& partition, const std::set<std::string>& members) {
  std::string owner;
  uint64_t highest = 0;
  for (const std::string& member : members) {
    const uint64_t hash = Hash(partition, member);
    if (owner.empty() || hash > highest) {
      owner = member;
      highest = hash;
    }
  }
  return owner;
}

Membership::Membership(storage::Store& store, std::string name, Clock clock)
    : store_(store), name_(std::move(name)), life_(RandomLife()), clock_(std::move(clock)) {}

absl::Status Membership::Beat() {
  absl::Status beaten = WriteOwn();
  if (beaten.ok()) beaten = LookAtOthers();
  if (beaten.ok()) beaten = RemoveDead();
  std::lock_guard lock(mutex_);
  away_ = !beaten.ok();
  return beaten;
}

absl::Status Membership::WriteOwn() {
  return store_.Commit({.partition = kPartition, .writes = {{.key = kPrefix + name_, .value = life_}}}).status();
}

absl::Status Membership::LookAtOthers() {
  auto listed = store_.List(kPartition, kPrefix, "", kMostMembers);
  if (!listed.ok()) return listed.status();
  const Time now = clock_();
  std::lock_guard lock(mutex_);
  std::map<std::string, Other> others;
  for (const storage::Document& document : *listed) {
    const std::string name = document.key.substr(std::string_view(kPrefix).size());
    if (name == name_) {
      if (document.value != life_) log::Error("another replica of dedup has this one's name; give each its own", {{"replica", name_}});
      continue;
    }
    const auto known = others_.find(name);
    // While the store was away nobody could beat: everybody gets his time anew.
    const bool same = known != others_.end() && !away_ && known->second.version == document.version && known->second.life == document.value;
    others[name] = same ? known->second : Other{document.version, document.value, now};
  }
  others_ = std::move(others);
  last_seen_ = now;
  seen_ = true;
  return absl::OkStatus();
}

absl::Status Membership::RemoveDead() {
  std::vector<storage::Write> removals;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, other] : others_) {
      if (last_seen_ - other.since < kRemoveAfter) continue;
      removals.push_back({.key = kPrefix + name, .value = std::nullopt, .expected_version = other.version});
    }
  }
  for (storage::Write& removal : removals) {
    auto removed = store_.Commit({.partition = kPartition, .writes = {std::move(removal)}});
    // Somebody else was first, or it lives.
    if (!removed.ok() && !absl::IsAborted(removed.status())) return removed.status();
  }
  return absl::OkStatus();
}

absl::Status Membership::Leave() {
  return store_.Commit({.partition = kPartition, .writes = {{.key = kPrefix + name_, .value = std::nullopt}}}).status();
}

std::set<std::string> Membership::alive() const {
  const Time now = clock_();
  std::lock_guard lock(mutex_);
  if (!seen_ || now - last_seen_ >= kForgetAfter) return {};
  std::set<std::string> alive = {name_};
  for (const auto& [name, other] : others_) {
    // Judged as of the last look: what happened since is not known.
    if (last_seen_ - other.since < kDeadAfter) alive.insert(name);
  }
  return alive;
}

}  // namespace peiling::dedup
