#include "services/access/key_store.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/identity/key_secret.h"
#include "services/common/log/log.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/etag.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"

namespace peiling::access {
namespace {

using absl::StatusCode;
using google::protobuf::Timestamp;

constexpr size_t kReadAtOnce = 1000;
// A page ends early when it has this much, so that it stays below gRPC's usual limit of 4 MiB for a message.
constexpr size_t kMaxPageBytes = 2 << 20;

constexpr char kKeys[] = "key/";

// Keys are numbered from 1 in the order they were made, and none ever goes: as many documents as the last number.
std::string KeyOf(uint64_t number) { return absl::StrFormat("%s%010u", kKeys, number); }
// Holds where the key of this name is kept.
std::string IdKey(const std::string& name) { return absl::StrCat("id/", names::LastId(name)); }

std::string Etag(uint64_t version) { return absl::StrCat("v", version); }

bool HasEnded(const v1::Key& key, const Timestamp& now) {
  return key.has_revoked_at() || (key.has_expires_at() && key.expires_at() <= now);
}

absl::Status Unusable(const std::string& why) {
  return status::Error(StatusCode::kFailedPrecondition, "ADMINISTRATOR_KEY_UNUSABLE", absl::StrCat("the administrator's key: ", why));
}

}  // namespace

struct KeyStore::Stored {
  // Where it is kept.
  std::string document;
  uint64_t version = 0;
  v1::KeyEvent event;
};

absl::StatusOr<KeyStore::Stored> KeyStore::Find(const std::string& name) {
  auto id = store_.Get(kPartition, IdKey(name));
  if (!id.ok()) return id.status();
  if (!id->has_value()) return status::Error(StatusCode::kNotFound, "KEY_NOT_FOUND", absl::StrCat("no ", name), {{"key", name}});
  auto document = store_.Get(kPartition, (*id)->value);
  if (!document.ok()) return document.status();
  if (!document->has_value()) return status::Error(StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat(name, " has no document"));
  auto event = storage::Parse<v1::KeyEvent>(**document);
  if (!event.ok()) return event.status();
  return Stored{.document = (*document)->key, .version = (*document)->version, .event = *std::move(event)};
}

absl::StatusOr<uint64_t> KeyStore::CountLive() {
  const Timestamp now = clock_();
  uint64_t live = 0;
  for (std::string after;;) {
    auto documents = store_.List(kPartition, kKeys, after, kReadAtOnce);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      auto event = storage::Parse<v1::KeyEvent>(document);
      if (!event.ok()) return event.status();
      if (!HasEnded(event->key(), now)) ++live;
    }
    if (documents->size() < kReadAtOnce) return live;
    after = documents->back().key;
  }
}

absl::Status KeyStore::CheckRoom(uint64_t keys) {
  if (keys < most_live_keys_) return absl::OkStatus();
  const auto live = CountLive();
  if (!live.ok()) return live.status();
  if (*live < most_live_keys_) return absl::OkStatus();
  return status::Error(StatusCode::kResourceExhausted, "TOO_MANY_KEYS",
                       absl::StrCat("there are ", *live, " keys that are neither revoked nor expired; revoke those nobody uses"));
}

absl::Status KeyStore::Add(uint64_t number, const v1::KeyEvent& event, std::vector<storage::Write> beside) {
  const std::string document = KeyOf(number);
  storage::Batch batch{.partition = kPartition, .writes = std::move(beside), .events = {event.SerializeAsString()}};
  batch.writes.push_back({.key = document, .value = batch.events[0], .expected_version = 0});
  batch.writes.push_back({.key = IdKey(event.key().name()), .value = document, .expected_version = 0});
  return store_.Commit(std::move(batch)).status();
}

absl::Status KeyStore::TryCreate(const v1::CreateKeyRequest& request, const std::string& digest, v1::KeyEvent event,
                                 v1::CreateKeyResponse& response) {
  const auto answered = storage::FindReceipt(store_, kPartition, request.request_id(), digest, response);
  if (!answered.ok() || *answered) return answered.status();
  const auto keys = store_.Count(kPartition, kKeys);
  if (!keys.ok()) return keys.status();
  if (absl::Status room = CheckRoom(*keys); !room.ok()) return room;
  *event.mutable_key()->mutable_created_at() = clock_();
  if (HasEnded(event.key(), event.key().created_at())) {
    status::BadRequest bad;
    bad.Add("key.expires_at", "is not in the future");
    return bad.ToStatus();
  }
  *response.mutable_key() = event.key();
  return Add(*keys + 1, event, {storage::ReceiptWrite(request.request_id(), digest, response)});
}

absl::StatusOr<v1::CreateKeyResponse> KeyStore::Create(const v1::CreateKeyRequest& request, const std::string& caller) {
  const std::string id = identity::NewKeyId();
  const std::string secret = identity::NewSecret(id);
  v1::KeyEvent event;
  v1::Key& key = *event.mutable_key();
  key = request.key();
  key.set_name(absl::StrCat("keys/", id));
  key.set_created_by(caller);
  key.set_etag(Etag(1));
  *event.mutable_hash() = identity::Hash(secret);

  v1::CreateKeyResponse response;
  const std::string digest = storage::DigestOf(request);
  absl::Status created = storage::RetryRaces([&] { return TryCreate(request, digest, event, response); });
  if (!created.ok()) return created;
  // No receipt has it: the answer to a repeat is about the key that was made then, whose secret is gone.
  if (response.key().name() == key.name()) response.set_secret(secret);
  return response;
}

absl::StatusOr<v1::Key> KeyStore::Get(const std::string& name) {
  auto found = Find(name);
  if (!found.ok()) return found.status();
  return std::move(*found->event.mutable_key());
}

absl::StatusOr<v1::ListKeysResponse> KeyStore::List(const v1::ListKeysRequest& request, const paging::Page& page) {
  auto documents = store_.List(kPartition, kKeys, page.after, page.size + 1);
  if (!documents.ok()) return documents.status();
  v1::ListKeysResponse response;
  size_t bytes = 0;
  std::string last;
  for (const storage::Document& document : *documents) {
    if (response.keys_size() == page.size || bytes >= kMaxPageBytes) {
      response.set_next_page_token(paging::NextPageToken(request, last));
      break;
    }
    auto event = storage::Parse<v1::KeyEvent>(document);
    if (!event.ok()) return event.status();
    bytes += document.value.size();
    last = document.key;
    *response.add_keys() = std::move(*event->mutable_key());
  }
  return response;
}

absl::Status KeyStore::TryRevoke(const v1::RevokeKeyRequest& request, const std::string& digest, const std::string& caller,
                                 v1::RevokeKeyResponse& response) {
  const auto answered = storage::FindReceipt(store_, kPartition, request.request_id(), digest, response);
  if (!answered.ok() || *answered) return answered.status();
  auto found = Find(request.name());
  if (!found.ok()) return found.status();
  v1::Key& key = *found->event.mutable_key();
  if (absl::Status status = storage::CheckEtag(request.etag(), request.name(), key.etag()); !status.ok()) return status;
  if (key.has_revoked_at()) {
    *response.mutable_key() = key;
    return store_.Confirm(kPartition);
  }
  *key.mutable_revoked_at() = clock_();
  key.set_revoked_by(caller);
  key.set_etag(Etag(found->version + 1));
  *response.mutable_key() = key;
  storage::Batch batch{.partition = kPartition, .events = {found->event.SerializeAsString()}};
  batch.writes.push_back({.key = found->document, .value = batch.events[0], .expected_version = found->version});
  batch.writes.push_back(storage::ReceiptWrite(request.request_id(), digest, response));
  return store_.Commit(std::move(batch)).status();
}

absl::StatusOr<v1::RevokeKeyResponse> KeyStore::Revoke(const v1::RevokeKeyRequest& request, const std::string& caller) {
  v1::RevokeKeyResponse response;
  const std::string digest = storage::DigestOf(request);
  absl::Status revoked = storage::RetryRaces([&] { return TryRevoke(request, digest, caller, response); });
  if (!revoked.ok()) return revoked;
  return response;
}

absl::Status KeyStore::TryEnsureAdministrator(const std::string& name, const std::string& secret) {
  const auto found = Find(name);
  if (!found.ok() && !absl::IsNotFound(found.status())) return found.status();
  if (found.ok()) {
    if (!identity::Matches(secret, found->event.hash())) return Unusable(absl::StrCat("there is ", name, " with another secret"));
    if (found->event.key().has_revoked_at()) log::Warning("the key of the first administrator was revoked", {{"key", name}});
    return absl::OkStatus();
  }
  const auto keys = store_.Count(kPartition, kKeys);
  if (!keys.ok()) return keys.status();
  v1::KeyEvent event;
  v1::Key& key = *event.mutable_key();
  key.set_name(name);
  key.set_title("first administrator");
  key.add_grants()->set_role(v1::ROLE_ADMINISTRATOR);
  *key.mutable_created_at() = clock_();
  key.set_etag(Etag(1));
  *event.mutable_hash() = identity::Hash(secret);
  return Add(*keys + 1, event);
}

absl::Status KeyStore::EnsureAdministrator(const std::string& secret) {
  const std::optional<std::string> id = identity::ParseKeyId(secret);
  if (!id.has_value()) return Unusable("want \"peiling_\", 16 hex digits, \"_\" and 43 characters");
  return storage::RetryRaces([&] { return TryEnsureAdministrator(absl::StrCat("keys/", *id), secret); });
}

}  // namespace peiling::access
