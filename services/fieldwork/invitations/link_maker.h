// What is made with the vault's keys: links, and what is kept of the people who have them.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "services/common/vault/resealer.h"
#include "services/common/vault/vault.h"
#include "services/fieldwork/invitations/stored_invitation.pb.h"
#include "services/fieldwork/invitations/token.h"

namespace peiling::fieldwork {

// Thread-safe. FAILED_PRECONDITION/PERSONAL_DATA_KEY_MISSING (metadata: key) when what was made with a key is asked for and
// the key is gone.
class LinkMaker {
 public:
  // The vault must outlive it. `link`: the address of a link, with "{token}" in it.
  LinkMaker(const vault::Vault& vault, std::string link) : vault_(vault), link_(std::move(link)) {}

  // What is kept of a new link, made with the vault's first key. `issue`: of the invitation.
  absl::StatusOr<stored::Link> New(const LinkId& id, int32_t issue) const;
  // The link itself.
  absl::StatusOr<std::string> Address(const LinkId& id, const stored::Link& link) const;
  // Whether the link is the one with this token. A key is thrown away because somebody may have it: what it made holds no more. Takes as
  // long for null, which nothing matches.
  bool Matches(std::string_view token, const stored::Link* link) const;

  // Who somebody is, sealed. `id`: of the colleague, or "holder".
  std::string Seal(const stored::Person& person, const std::string& invitation, const std::string& id) const;
  // Of nothing (erased) an empty one. So also of what cannot be opened, since its key is gone or it was changed: one of those must not
  // stand in the way of all others. It is logged once.
  stored::Person Unseal(const std::string& sealed, const std::string& invitation, const std::string& id) const;
  // Seals it with the first key, if it is sealed with another, which is counted in `found`: whether it did. What cannot be opened stays as
  // it is.
  bool Reseal(std::string& sealed, const std::string& invitation, const std::string& id, vault::Resealed& found) const;

  // The digest of a request with personal data, made such that nobody who has the store can try what they were.
  absl::StatusOr<std::string> Keyed(const std::string& digest) const;

 private:
  absl::StatusOr<stored::Person> Open(const std::string& sealed, const std::string& context) const;

  const vault::Vault& vault_;
  const std::string link_;
  mutable std::mutex mutex_;
  // What was logged, by what it belongs to.
  mutable std::set<std::string> told_;
};

}  // namespace peiling::fieldwork
