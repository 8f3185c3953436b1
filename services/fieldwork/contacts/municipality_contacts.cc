#include "services/fieldwork/contacts/municipality_contacts.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/etag.h"
#include "services/fieldwork/contacts/contact_fields.h"
#include "services/fieldwork/contacts/email_address.h"

namespace peiling::fieldwork {
namespace {

using absl::StatusCode;

absl::Status NotFound(const std::string& name) {
  return status::Error(StatusCode::kNotFound, "CONTACT_NOT_FOUND", absl::StrCat("no ", name), {{"contact", name}});
}

absl::Status Exists(const std::string& name) {
  return status::Error(StatusCode::kAlreadyExists, "CONTACT_EXISTS", absl::StrCat(name, " has this address"), {{"contact", name}});
}

// Etags are numbers that count changes.
std::string Next(const std::string& etag) {
  uint64_t number = 0;
  (void)absl::SimpleAtoi(etag.empty() ? "0" : etag.substr(1), &number);
  return absl::StrCat("v", number + 1);
}

// False when nobody was named.
bool ErasePerson(v1::Contact& general, absl::Time now) {
  if (general.full_name().empty() && general.salutation().empty() && general.job_title().empty() && general.phone().empty()) return false;
  for (std::string* const text :
       {general.mutable_full_name(), general.mutable_salutation(), general.mutable_job_title(), general.mutable_phone()}) {
    text->clear();
  }
  *general.mutable_updated_at() = calendar::ToProto(now);
  general.set_etag(Next(general.etag()));
  return true;
}

std::string Canonical(const v1::Contact& contact) { return CanonicalAddress(contact.email()).value_or(""); }

}  // namespace

std::string Rank(const v1::Contact& contact) {
  const int group = contact.has_erased_at() ? 2 : contact.kind() == v1::CONTACT_KIND_GENERAL ? 1 : 0;
  int64_t number = 0;
  (void)absl::SimpleAtoi(names::LastId(contact.name()), &number);
  return absl::StrFormat("%d%010d%010d", group, int64_t{contact.order()} - INT32_MIN, number);
}

std::string MunicipalityOf(std::string_view contact) {
  const auto ids = names::Match(contact, "municipalities/*/contacts/*");
  return ids.has_value() ? (*ids)[0] : "";
}

std::vector<v1::Contact> MunicipalityContacts::InOrder() const {
  std::vector<v1::Contact> ordered = contacts_;
  std::sort(ordered.begin(), ordered.end(), [](const v1::Contact& a, const v1::Contact& b) { return Rank(a) < Rank(b); });
  return ordered;
}

v1::Contact* MunicipalityContacts::At(const std::string& name) {
  const auto found = std::find_if(contacts_.begin(), contacts_.end(), [&](const v1::Contact& contact) { return contact.name() == name; });
  return found == contacts_.end() ? nullptr : &*found;
}

absl::StatusOr<v1::Contact> MunicipalityContacts::Find(const std::string& name) const {
  const auto found = std::find_if(contacts_.begin(), contacts_.end(), [&](const v1::Contact& contact) { return contact.name() == name; });
  if (found == contacts_.end()) return NotFound(name);
  return *found;
}

std::string MunicipalityContacts::WithAddress(const std::string& canonical) const {
  if (!by_address_) {
    by_address_.emplace();
    for (const v1::Contact& contact : contacts_) {
      if (!contact.has_erased_at()) by_address_->emplace(Canonical(contact), contact.name());
    }
  }
  const auto found = by_address_->find(canonical);
  return found == by_address_->end() ? "" : found->second;
}

absl::Status MunicipalityContacts::RefuseAddressOfAnother(const v1::Contact& given, const std::string& name) const {
  const std::string other = WithAddress(Canonical(given));
  return other.empty() || other == name ? absl::OkStatus() : Exists(other);
}

absl::StatusOr<v1::Contact> MunicipalityContacts::Add(const v1::Contact& given, absl::Time now) {
  if (absl::Status taken = RefuseAddressOfAnother(given, ""); !taken.ok()) return taken;
  const auto live = std::count_if(contacts_.begin(), contacts_.end(), [](const v1::Contact& contact) { return !contact.has_erased_at(); });
  if (static_cast<size_t>(live) >= kMost) {
    return status::Error(StatusCode::kResourceExhausted, "TOO_MANY_CONTACTS",
                         absl::StrCat("municipality ", code_, " has ", kMost, " contacts already"), {{"municipality", code_}});
  }
  v1::Contact contact = Given(given);
  contact.set_name(absl::StrCat("municipalities/", code_, "/contacts/", contacts_.size() + 1));
  *contact.mutable_created_at() = *contact.mutable_updated_at() = calendar::ToProto(now);
  contact.set_etag(Next(""));
  contacts_.push_back(contact);
  if (by_address_) by_address_->emplace(Canonical(contact), contact.name());
  return contact;
}

absl::StatusOr<v1::Contact> MunicipalityContacts::Update(const std::string& name, const v1::Contact& given, const std::string& etag,
                                                         absl::Time now) {
  v1::Contact* const contact = At(name);
  if (contact == nullptr) return NotFound(name);
  if (contact->has_erased_at()) {
    return status::Error(StatusCode::kFailedPrecondition, "CONTACT_ERASED", absl::StrCat(name, " was erased"), {{"contact", name}});
  }
  if (absl::Status status = storage::CheckEtag(etag, name, contact->etag()); !status.ok()) return status;
  if (absl::Status taken = RefuseAddressOfAnother(given, name); !taken.ok()) return taken;
  v1::Contact wanted = Given(given);
  if (wanted.SerializeAsString() == Given(*contact).SerializeAsString()) {
    *contact->mutable_updated_at() = calendar::ToProto(now);
    return *contact;
  }
  wanted.set_name(name);
  *wanted.mutable_created_at() = contact->created_at();
  *wanted.mutable_updated_at() = calendar::ToProto(now);
  wanted.set_etag(Next(contact->etag()));
  if (wanted.email() != contact->email()) by_address_.reset();
  *contact = wanted;
  return wanted;
}

absl::StatusOr<v1::Contact> MunicipalityContacts::Erase(const std::string& name, const std::string& caller, absl::Time now) {
  v1::Contact* const contact = At(name);
  if (contact == nullptr) return NotFound(name);
  if (contact->has_erased_at()) return *contact;
  v1::Contact left;
  left.set_name(name);
  left.set_kind(contact->kind());
  *left.mutable_erased_at() = calendar::ToProto(now);
  left.set_erased_by(caller);
  left.set_etag(Next(contact->etag()));
  *contact = left;
  by_address_.reset();
  return left;
}

std::vector<std::string> MunicipalityContacts::EraseWhere(const std::function<bool(const v1::Contact&)>& wanted, absl::Time now) {
  std::vector<std::string> erased;
  for (v1::Contact& contact : contacts_) {
    if (contact.has_erased_at() || !wanted(contact)) continue;
    if (contact.kind() != v1::CONTACT_KIND_GENERAL) {
      (void)Erase(contact.name(), "", now);
    } else if (!ErasePerson(contact, now)) {
      continue;
    }
    erased.push_back(contact.name());
  }
  return erased;
}

}  // namespace peiling::fieldwork
