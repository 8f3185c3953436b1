// What credentials seen before are recognised by, without keeping them.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace peiling::gateway {

// HMAC-SHA256 under a random key that only this process has: worth nothing to who reads it, and nobody can choose one.
using Digest = std::array<unsigned char, 32>;

// Thread-safe.
Digest DigestOf(std::string_view credential);
// In constant time.
bool SameDigest(const Digest& a, const Digest& b);

// What is known of the last credentials that were seen. Thread-safe.
template <typename Value>
class RecentCredentials {
 public:
  // Keeps at most this many; the one not asked for the longest goes.
  explicit RecentCredentials(size_t most) : most_(most) {}

  std::optional<Value> Find(const Digest& digest) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(digest);
    if (found == places_.end()) return std::nullopt;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->second;
  }

  void Put(const Digest& digest, Value value) {
    const std::lock_guard lock(mutex_);
    if (const auto found = places_.find(digest); found != places_.end()) {
      order_.erase(found->second);
      places_.erase(found);
    }
    order_.emplace_front(digest, std::move(value));
    places_[digest] = order_.begin();
    if (order_.size() <= most_) return;
    places_.erase(order_.back().first);
    order_.pop_back();
  }

  void Forget(const Digest& digest) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(digest);
    if (found == places_.end()) return;
    order_.erase(found->second);
    places_.erase(found);
  }

 private:
  // It is random already.
  struct Hash {
    size_t operator()(const Digest& digest) const {
      size_t hash;
      std::memcpy(&hash, digest.data(), sizeof(hash));
      return hash;
    }
  };

  const size_t most_;
  std::mutex mutex_;
  // The one asked for last comes first.
  std::list<std::pair<Digest, Value>> order_;
  std::unordered_map<Digest, typename std::list<std::pair<Digest, Value>>::iterator, Hash> places_;
};

}  // namespace peiling::gateway
