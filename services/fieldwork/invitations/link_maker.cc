#include "services/fieldwork/invitations/link_maker.h"

#include <openssl/sha.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/log/log.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/invitations/invitation_documents.h"

namespace peiling::fieldwork {
namespace {

// What keys of the vault are turned into.
constexpr char kTokenPurpose[] = "invitation-token";
constexpr char kDigestPurpose[] = "invitation-request";
constexpr size_t kRandomBytes = 16;
// Of what cannot be opened.
constexpr size_t kMostTold = 1000;

// What sealed data belong to, so that nobody can be put in another's place.
std::string ContextOf(const std::string& invitation, const std::string& id) {
  return vault::ContextOf(names::WaveOf(invitation), absl::StrCat(InvitationKey(invitation), "/", id));
}

}  // namespace

absl::StatusOr<stored::Link> LinkMaker::New(const LinkId& id, int32_t issue) const {
  const auto key = vault_.Derive(vault_.key_id(), kTokenPurpose);
  if (!key.ok()) return key.status();
  stored::Link link;
  link.set_issue(issue);
  link.set_key_id(vault_.key_id());
  link.set_random(vault::RandomBytes(kRandomBytes));
  link.set_token_hash(HashOfToken(MakeToken(id, link.random(), *key)));
  return link;
}

absl::StatusOr<std::string> LinkMaker::Address(const LinkId& id, const stored::Link& link) const {
  const auto key = vault_.Derive(link.key_id(), kTokenPurpose);
  if (!key.ok()) return key.status();
  return absl::StrReplaceAll(link_, {{"{token}", MakeToken(id, link.random(), *key)}});
}

bool LinkMaker::Matches(std::string_view token, const stored::Link* link) const {
  const bool matches = TokenMatches(token, (link != nullptr ? *link : stored::Link::default_instance()).token_hash());
  return matches && vault_.HasKey(link->key_id());
}

std::string LinkMaker::Seal(const stored::Person& person, const std::string& invitation, const std::string& id) const {
  return vault_.Seal(person.SerializeAsString(), ContextOf(invitation, id));
}

absl::StatusOr<stored::Person> LinkMaker::Open(const std::string& sealed, const std::string& context) const {
  const auto bytes = vault_.Unseal(sealed, context);
  if (!bytes.ok()) return bytes.status();
  stored::Person person;
  if (person.ParseFromString(*bytes)) return person;
  return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", "what was sealed is nobody");
}

stored::Person LinkMaker::Unseal(const std::string& sealed, const std::string& invitation, const std::string& id) const {
  if (sealed.empty()) return {};
  const std::string context = ContextOf(invitation, id);
  auto person = Open(sealed, context);
  if (person.ok()) return *std::move(person);
  const std::lock_guard lock(mutex_);
  if (told_.size() < kMostTold && told_.insert(context).second) {
    log::Error("who has a link cannot be read, and is taken for erased",
               {{"invitation", invitation}, {"holder", id}, {"error", std::string(person.status().message())}});
  }
  return {};
}

bool LinkMaker::Reseal(std::string& sealed, const std::string& invitation, const std::string& id, vault::Resealed& found) const {
  if (sealed.empty() || !vault_.NeedsResealing(sealed)) return false;
  if (vault_.IsGone(sealed)) {
    ++found.gone;
    return false;
  }
  ++found.old;
  const stored::Person person = Unseal(sealed, invitation, id);
  if (person.email().empty()) {
    ++found.unreadable;
    return false;
  }
  sealed = Seal(person, invitation, id);
  return true;
}

absl::StatusOr<std::string> LinkMaker::Keyed(const std::string& digest) const {
  const auto key = vault_.Derive(vault_.key_id(), kDigestPurpose);
  if (!key.ok()) return key.status();
  // Both have 32 bytes whatever they are, so that no HMAC is needed.
  const std::string text = *key + digest;
  std::string keyed(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), reinterpret_cast<unsigned char*>(keyed.data()));
  return keyed;
}

}  // namespace peiling::fieldwork
