// Where what mail depends on is read from.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/contacts/contact_store.h"
#include "services/fieldwork/invitations/invitation_store.h"
#include "services/fieldwork/mail/plan_mail.h"
#include "services/fieldwork/mail/suppression_list.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// All are thread-safe.
struct PlanSources {
  const WaveBook& book;
  InvitationStore& invitations;
  ContactStore& contacts;
  SuppressionList& suppressions;
  calendar::Clock clock;
};

// Last part of the name of an invitation's response, which may not be there yet.
std::string ResponseIdOf(const v1::Invitation& invitation);

// The facts about one invitation as they now are; of its response, as the book has it. Errors of the stores.
absl::StatusOr<MailFacts> ReadFacts(const PlanSources& sources, const std::string& wave, v1::Invitation invitation);

// Whether there is somebody mail of an invitation goes to: a contact (the planner takes away those who cannot be reached), or who took over
// and has an address that is not suppressed. Errors of the stores.
absl::StatusOr<bool> HasReceiver(InvitationStore& invitations, SuppressionList& suppressions, const v1::Invitation& invitation);

}  // namespace peiling::fieldwork
