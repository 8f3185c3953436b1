// Whom mail of an invitation goes to at first.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "services/fieldwork/contacts/contact_store.h"

namespace peiling::fieldwork {

// Which of these addresses no mail goes to (SuppressionList::ContainsAddresses).
using Suppressed = std::function<absl::StatusOr<std::vector<bool>>(const std::vector<std::string>& addresses)>;

// The first contact that can be used on a day (YYYY-MM-DD) of the first municipality of the invitation that has one, "" when none has;
// general ones come after all others. Contacts it was escalated from are left out.
absl::StatusOr<std::string> FirstContact(const v1::Invitation& invitation, const std::string& day, ContactStore& contacts,
                                         const Suppressed& suppressed);

}  // namespace peiling::fieldwork
