#include "services/fieldwork/mail/plan_sources.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "services/common/names/resource_names.h"

namespace peiling::fieldwork {
namespace {

// Of all municipalities of an invitation, general ones last.
absl::StatusOr<std::vector<v1::Contact>> UsableContacts(const PlanSources& sources, const v1::Invitation& invitation) {
  const std::string today = calendar::DayOf(sources.clock());
  std::vector<v1::Contact> all;
  for (const std::string& municipality : invitation.municipalities()) {
    auto contacts = sources.contacts.Usable(municipality, today);
    if (!contacts.ok()) return contacts.status();
    std::move(contacts->begin(), contacts->end(), std::back_inserter(all));
  }
  std::stable_partition(all.begin(), all.end(), [](const v1::Contact& contact) { return contact.kind() != v1::CONTACT_KIND_GENERAL; });
  return all;
}

void ReadResponse(const WaveBook& book, const std::string& wave, MailFacts& facts) {
  const auto& municipalities = facts.invitation.municipalities();
  facts.answered = !municipalities.empty() && std::all_of(municipalities.begin(), municipalities.end(),
                                                          [&](const std::string& code) { return book.HasSubmittedRecord(wave, code); });
  const auto stand = book.Response(wave, ResponseIdOf(facts.invitation));
  if (!stand.has_value()) return;
  facts.submitted = stand->state == intake::v1::RESPONSE_STATE_SUBMITTED;
  facts.submitted_at = stand->submitted_at;
  facts.last_change = stand->updated_at;
}

}  // namespace

std::string ResponseIdOf(const v1::Invitation& invitation) { return names::LastId(invitation.name()); }

absl::StatusOr<MailFacts> ReadFacts(const PlanSources& sources, const std::string& wave, v1::Invitation invitation) {
  const auto contacts = UsableContacts(sources, invitation);
  if (!contacts.ok()) return contacts.status();
  const auto holders = sources.invitations.LinkHolders(invitation.name());
  if (!holders.ok()) return holders.status();
  std::vector<std::string> addresses;
  addresses.reserve(contacts->size() + holders->size());
  for (const v1::Contact& contact : *contacts) addresses.push_back(contact.email());
  for (const LinkHolder& holder : *holders) addresses.push_back(holder.email);
  const auto suppressed = sources.suppressions.ContainsAddresses(addresses);
  if (!suppressed.ok()) return suppressed.status();

  MailFacts facts{.invitation = std::move(invitation)};
  auto is_suppressed = suppressed->begin();
  for (const v1::Contact& contact : *contacts) facts.contacts.push_back({.name = contact.name(), .suppressed = *is_suppressed++});
  for (const LinkHolder& holder : *holders) {
    facts.holders.push_back({.id = holder.id, .mail_id = holder.mail_id, .since = holder.since, .suppressed = *is_suppressed++});
  }
  ReadResponse(sources.book, wave, facts);
  return facts;
}

absl::StatusOr<bool> HasReceiver(InvitationStore& invitations, SuppressionList& suppressions, const v1::Invitation& invitation) {
  if (!invitation.handed_over()) return !invitation.contact().empty();
  const auto holders = invitations.LinkHolders(invitation.name());
  if (!holders.ok()) return holders.status();
  const auto holder = std::find_if(holders->begin(), holders->end(), [](const auto& each) { return each.id == InvitationStore::kHolder; });
  if (holder == holders->end()) return false;
  const auto suppressed = suppressions.ContainsAddresses({holder->email});
  if (!suppressed.ok()) return suppressed.status();
  return !suppressed->front();
}

}  // namespace peiling::fieldwork
