// Contacts as they are stored: one document for each, in partition "contacts", its personal part sealed (services/common/vault).
//   contact/<municipality>/<id>   StoredContact
//   address/<token>               who has this address: the token stands for the address (AddressToken)
//   pepper                        what tokens are made with, sealed
//   receipt/<…>
// Replicas may share the store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"

namespace peiling::fieldwork {

// Thread-safe. Errors of the store and the vault come beside those named.
class ContactStore {
 public:
  static constexpr char kPartition[] = "contacts";

  // All must outlive it.
  ContactStore(storage::Store& store, const vault::Vault& vault, calendar::Clock clock)
      : store_(store), vault_(vault), clock_(std::move(clock)) {}

  // Contacts of a municipality ("GM0363") that may be used on a day (YYYY-MM-DD), in the order they are to be used; general ones last.
  // Erased ones are left out; suppressed ones are not (the outbox knows).
  absl::StatusOr<std::vector<v1::Contact>> Usable(const std::string& municipality, const std::string& day);
  // NOT_FOUND/CONTACT_NOT_FOUND. An erased one is there, empty.
  absl::StatusOr<v1::Contact> Get(const std::string& name);
  // What stands for an e-mail address, equal for equal ones whatever their capitals and the form of their domain: 32 lower-case hex digits. It
  // tells nobody the address, also not one who has the store and tries all addresses there are, without the vault's keys.
  absl::StatusOr<std::string> AddressToken(const std::string& email);

 private:
  storage::Store& store_;
  const vault::Vault& vault_;
  const calendar::Clock clock_;
};

}  // namespace peiling::fieldwork
