#include "services/fieldwork/invitations/contact_choice.h"

#include <algorithm>
#include <utility>

namespace peiling::fieldwork {

absl::StatusOr<std::string> FirstContact(const v1::Invitation& invitation, const std::string& day, ContactStore& contacts,
                                         const Suppressed& suppressed) {
  std::vector<v1::Contact> usable;
  for (const std::string& municipality : invitation.municipalities()) {
    auto of_one = contacts.Usable(municipality, day);
    if (!of_one.ok()) return of_one.status();
    std::move(of_one->begin(), of_one->end(), std::back_inserter(usable));
  }
  const auto& before = invitation.escalated_from();
  std::erase_if(usable,
                [&](const v1::Contact& contact) { return std::find(before.begin(), before.end(), contact.name()) != before.end(); });
  std::stable_partition(usable.begin(), usable.end(),
                        [](const v1::Contact& contact) { return contact.kind() != v1::CONTACT_KIND_GENERAL; });
  std::vector<std::string> addresses;
  addresses.reserve(usable.size());
  for (const v1::Contact& contact : usable) addresses.push_back(contact.email());
  const auto no_mail = suppressed(addresses);
  if (!no_mail.ok()) return no_mail.status();
  for (size_t i = 0; i < usable.size(); ++i) {
    if (!(*no_mail)[i]) return usable[i].name();
  }
  return "";
}

}  // namespace peiling::fieldwork
