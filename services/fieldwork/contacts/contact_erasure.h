// Erases a contact on request, and what it answered of itself, and what is known of it as a colleague.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/fieldwork/contacts/contact_store.h"
#include "services/fieldwork/contacts/contact_uses.h"
#include "services/fieldwork/contacts/municipality_lookup.h"

namespace peiling::fieldwork {

// Forgets whoever has this address and a link that is not a contact's (InvitationStore::ErasePerson).
using ForgetPerson = std::function<absl::Status(const std::string& address)>;

// Thread-safe.
class ContactErasure {
 public:
  // All must outlive it.
  ContactErasure(ContactStore& contacts, const ContactUses& uses, intake::v1::IntakeService::StubInterface& intake, ForgetPerson forget)
      : contacts_(contacts), uses_(uses), intake_(intake), forget_(std::move(forget)) {}

  // As the RPC. The answers go first: what breaks off before the contact is gone is gone on with by a repeat. Those that were kept when it
  // was erased, by whoever, can still be erased. `caller`: subject of who asks.
  absl::StatusOr<v1::EraseContactResponse> Erase(const v1::EraseContactRequest& request, const std::string& caller,
                                                 const MakeContext& make_context);

 private:
  // Responses whose personal answers are gone now.
  absl::StatusOr<std::vector<std::string>> EraseAnswers(const v1::EraseContactRequest& request, const MakeContext& make_context);

  ContactStore& contacts_;
  const ContactUses& uses_;
  intake::v1::IntakeService::StubInterface& intake_;
  const ForgetPerson forget_;
};

}  // namespace peiling::fieldwork
