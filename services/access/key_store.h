// API keys. They have a partition of the store to themselves, whose feed tells of every key and every change.
//
// A secret is never stored: what is kept is its hash. Replicas may share the store; a key's number settles who was first.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/timestamp.pb.h"
#include "peiling/access/v1/access.pb.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"

namespace peiling::access {

using Clock = std::function<google::protobuf::Timestamp()>;

// Thread-safe. Requests were checked. Errors of the store come beside those named.
class KeyStore {
 public:
  // The partition, whose feed holds serialised KeyEvents without sequence.
  static constexpr char kPartition[] = "keys";
  // Keys that are neither revoked nor expired.
  static constexpr uint64_t kMostLiveKeys = 10'000;

  // `store` must outlive it.
  KeyStore(storage::Store& store, Clock clock, uint64_t most_live_keys = kMostLiveKeys)
      : store_(store), clock_(std::move(clock)), most_live_keys_(most_live_keys) {}

  // `caller`: subject of who asks. INVALID_ARGUMENT when it would have expired already; RESOURCE_EXHAUSTED/TOO_MANY_KEYS;
  // ALREADY_EXISTS/REQUEST_ID_REUSED; ABORTED/CONCURRENT_CHANGE after too many lost races.
  absl::StatusOr<v1::CreateKeyResponse> Create(const v1::CreateKeyRequest& request, const std::string& caller);
  // NOT_FOUND/KEY_NOT_FOUND.
  absl::StatusOr<v1::Key> Get(const std::string& name);
  // A page may be short and yet have a token: its bytes are bounded.
  absl::StatusOr<v1::ListKeysResponse> List(const v1::ListKeysRequest& request, const paging::Page& page);
  // NOT_FOUND/KEY_NOT_FOUND; ABORTED/ETAG_MISMATCH; the last two of Create.
  absl::StatusOr<v1::RevokeKeyResponse> Revoke(const v1::RevokeKeyRequest& request, const std::string& caller);

  // Sees to it that the key of this secret exists, as an administrator's; leaves it alone when it does, revoked or not.
  // FAILED_PRECONDITION/ADMINISTRATOR_KEY_UNUSABLE when the secret is none, or not that of the key it names.
  absl::Status EnsureAdministrator(const std::string& secret);

 private:
  struct Stored;

  absl::StatusOr<Stored> Find(const std::string& name);
  absl::StatusOr<uint64_t> CountLive();
  // Whether one more may be made beside `keys`, live or not.
  absl::Status CheckRoom(uint64_t keys);
  // Commits a key as the one with this number; a lost race when somebody else's has it.
  absl::Status Add(uint64_t number, const v1::KeyEvent& event, std::vector<storage::Write> beside = {});
  // One try of each.
  absl::Status TryCreate(const v1::CreateKeyRequest& request, const std::string& digest, v1::KeyEvent event,
                         v1::CreateKeyResponse& response);
  absl::Status TryRevoke(const v1::RevokeKeyRequest& request, const std::string& digest, const std::string& caller,
                         v1::RevokeKeyResponse& response);
  absl::Status TryEnsureAdministrator(const std::string& name, const std::string& secret);

  storage::Store& store_;
  const Clock clock_;
  const uint64_t most_live_keys_;
};

}  // namespace peiling::access
