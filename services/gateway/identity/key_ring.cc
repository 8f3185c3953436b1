#include "services/gateway/identity/key_ring.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {
namespace {

std::shared_ptr<const KnownKey> KnownKeyOf(access::v1::KeyEvent& event) {
  auto known = std::make_shared<KnownKey>();
  access::v1::Key& key = *event.mutable_key();
  known->identity.set_subject(key.name());
  known->identity.set_title(key.title());
  *known->identity.mutable_grants() = std::move(*key.mutable_grants());
  known->identity.set_credential(access::v1::CREDENTIAL_KIND_KEY);
  if (key.has_expires_at()) {
    *known->identity.mutable_expires_at() = key.expires_at();
    known->expires = TimeAt(key.expires_at().seconds());
  }
  known->revoked = key.has_revoked_at();
  known->hash = std::move(*event.mutable_hash());
  return known;
}

}  // namespace

bool SameHash(const KnownKey& a, const KnownKey& b) { return a.hash.hash() == b.hash.hash() && a.hash.salt() == b.hash.salt(); }

KeyRing::KeyRing(std::unique_ptr<access::v1::AccessService::StubInterface> access)
    : access_(std::move(access)), retrier_("keys", [this](grpc::ClientContext& context, const std::function<void()>& healthy) {
        absl::Status followed = Follow(context, healthy);
        const std::lock_guard lock(mutex_);
        error_ = followed.ToString();
        return followed;
      }) {}

absl::Status KeyRing::Follow(grpc::ClientContext& context, const std::function<void()>& healthy) {
  using Message = access::v1::WatchKeysResponse;
  // From the beginning each time, into a ring of its own: keys are few, and one that access no longer has must not stay.
  std::optional<Slots> replay = Slots();
  const auto open = [this](grpc::ClientContext* watch) { return access_->WatchKeys(watch, {}); };
  const auto apply = [&](std::vector<Message>& messages) {
    Apply(messages, replay);
    return absl::OkStatus();
  };
  return feed::WatchSession<Message>(open, apply)(context, healthy);
}

void KeyRing::Apply(std::vector<access::v1::WatchKeysResponse>& messages, std::optional<Slots>& replay) {
  for (access::v1::WatchKeysResponse& message : messages) {
    if (message.has_key()) {
      const std::string id = names::LastId(message.key().key().name());
      Slot slot{KnownKeyOf(*message.mutable_key()), std::nullopt};
      if (replay.has_value()) {
        replay->insert_or_assign(id, std::move(slot));
      } else {
        Set(id, std::move(slot));
      }
    }
    if (message.has_caught_up() && replay.has_value()) {
      Replace(*std::move(replay));
      replay.reset();
    }
  }
}

void KeyRing::Replace(Slots slots) {
  const std::lock_guard lock(mutex_);
  for (auto& [id, slot] : slots) KeepSecret(id, slot);
  slots_ = std::move(slots);
  ++changes_;
}

void KeyRing::Set(const std::string& id, Slot slot) {
  const std::lock_guard lock(mutex_);
  KeepSecret(id, slot);
  slots_.insert_or_assign(id, std::move(slot));
  ++changes_;
}

void KeyRing::KeepSecret(const std::string& id, Slot& slot) const {
  const auto old = slots_.find(id);
  if (old != slots_.end() && SameHash(*old->second.key, *slot.key)) slot.secret = old->second.secret;
}

std::string KeyRing::not_ready_reason() const {
  const std::lock_guard lock(mutex_);
  return changes_ > 0 ? "" : absl::StrCat("has not read all keys of access yet", error_.empty() ? "" : ": ", error_);
}

KeyRing::Found KeyRing::Find(const std::string& id, const Digest& secret) const {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end()) return {.changes = changes_};
  const Slot& slot = found->second;
  return {changes_, slot.key, slot.secret.has_value() && SameDigest(*slot.secret, secret)};
}

void KeyRing::Recognise(const std::string& id, const KnownKey& key, const Digest& secret) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(id);
  if (found != slots_.end() && SameHash(*found->second.key, key)) found->second.secret = secret;
}

}  // namespace peiling::gateway
