// All API keys, held in memory and kept up to date by access.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "peiling/access/v1/access.grpc.pb.h"
#include "services/common/feed/follower.h"
#include "services/gateway/identity/digest.h"

namespace peiling::gateway {

// A key, as checking needs it.
struct KnownKey {
  access::v1::Identity identity;
  access::v1::SecretHash hash;
  bool revoked = false;
  // max(): never.
  std::chrono::system_clock::time_point expires = std::chrono::system_clock::time_point::max();
};

// Whether a secret that matches one matches the other.
bool SameHash(const KnownKey& a, const KnownKey& b);

// Thread-safe.
class KeyRing {
 public:
  explicit KeyRing(std::unique_ptr<access::v1::AccessService::StubInterface> access);

  void Start() { retrier_.Start(); }
  // May be called twice.
  void Stop() { retrier_.Stop(); }

  // Empty once it has had every key; stays so while access is away: what is known holds.
  std::string not_ready_reason() const;
  struct Found {
    // Another number whenever some key has changed; 0 until the ring has had every key.
    uint64_t changes = 0;
    // Null when there is no such key.
    std::shared_ptr<const KnownKey> key;
    // Whether the secret is known to be the key's. What else there is to say of the key comes on top.
    bool recognised = false;
  };
  // By the part of its name after "keys/".
  Found Find(const std::string& id, const Digest& secret) const;
  // From now on recognises the secret, which was found to match the hash of `key`.
  void Recognise(const std::string& id, const KnownKey& key, const Digest& secret);

 private:
  struct Slot {
    std::shared_ptr<const KnownKey> key;
    std::optional<Digest> secret;
  };
  using Slots = std::map<std::string, Slot>;

  absl::Status Follow(grpc::ClientContext& context, const std::function<void()>& healthy);
  void Apply(std::vector<access::v1::WatchKeysResponse>& messages, std::optional<Slots>& replay);
  // In place of all.
  void Replace(Slots slots);
  void Set(const std::string& id, Slot slot);
  // Keeps the secret that is recognised when the hash has stayed.
  void KeepSecret(const std::string& id, Slot& slot) const;

  const std::unique_ptr<access::v1::AccessService::StubInterface> access_;
  mutable std::mutex mutex_;
  std::string error_;
  uint64_t changes_ = 0;
  Slots slots_;
  feed::Retrier retrier_;
};

}  // namespace peiling::gateway
