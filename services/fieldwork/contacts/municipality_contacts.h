// The contacts of one municipality, which are read and written together: so it is certain that no two have the same address and that there
// are not too many.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/contacts.pb.h"

namespace peiling::fieldwork {

// Not thread-safe.
class MunicipalityContacts {
 public:
  // Of one municipality, erased ones not counted.
  static constexpr size_t kMost = 50;

  // `code`: "GM0363"; `contacts`: all there ever were, in the order they were added.
  MunicipalityContacts(std::string code, std::vector<v1::Contact> contacts) : code_(std::move(code)), contacts_(std::move(contacts)) {}

  const std::string& code() const { return code_; }
  const std::vector<v1::Contact>& contacts() const { return contacts_; }
  // In the order they are used, erased ones last.
  std::vector<v1::Contact> InOrder() const;
  // NOT_FOUND/CONTACT_NOT_FOUND.
  absl::StatusOr<v1::Contact> Find(const std::string& name) const;
  // Name of the one that has an address (CanonicalAddress) and is not erased; "" when there is none.
  std::string WithAddress(const std::string& canonical) const;

  // These want what is given of a contact to be right (contact_fields.h).
  // The new one. ALREADY_EXISTS/CONTACT_EXISTS (metadata: contact), RESOURCE_EXHAUSTED/TOO_MANY_CONTACTS.
  absl::StatusOr<v1::Contact> Add(const v1::Contact& given, absl::Time now);
  // As it now is. When it was so already only `updated_at` moves: somebody said that it is right. `etag`, when not empty, is what it must
  // have: ABORTED/ETAG_MISMATCH; NOT_FOUND/CONTACT_NOT_FOUND, FAILED_PRECONDITION/CONTACT_ERASED, CONTACT_EXISTS.
  absl::StatusOr<v1::Contact> Update(const std::string& name, const v1::Contact& given, const std::string& etag, absl::Time now);
  // What is left of it; the same as before when it was erased already. CONTACT_NOT_FOUND.
  absl::StatusOr<v1::Contact> Erase(const std::string& name, const std::string& caller, absl::Time now);
  // Erases those `wanted` says yes to, in the service's own name; of general addresses only the person that answers them (full_name,
  // salutation, job_title, phone). Names of those that were.
  std::vector<std::string> EraseWhere(const std::function<bool(const v1::Contact&)>& wanted, absl::Time now);

 private:
  // Null when there is none of that name.
  v1::Contact* At(const std::string& name);
  // ALREADY_EXISTS/CONTACT_EXISTS when another than `name` has the address.
  absl::Status RefuseAddressOfAnother(const v1::Contact& given, const std::string& name) const;

  const std::string code_;
  // The last part of a name is the place from 1: none is ever taken out.
  std::vector<v1::Contact> contacts_;
  // Names by address, of those that are not erased; absent: not asked for since they changed. An import asks for each of its rows.
  mutable std::optional<std::unordered_map<std::string, std::string>> by_address_;
};

// By these contacts of a municipality are sorted in the order they are used: general ones after others, then `order`, then as they were
// added; erased ones last.
std::string Rank(const v1::Contact& contact);

// "GM0363" of "municipalities/GM0363/contacts/1".
std::string MunicipalityOf(std::string_view contact);

}  // namespace peiling::fieldwork
