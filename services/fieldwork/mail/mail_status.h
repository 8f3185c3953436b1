// How the mail of a wave stands.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/fieldwork/invitations/invitation_store.h"
#include "services/fieldwork/mail/outbox.h"
#include "services/fieldwork/mail/suppression_list.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// As the RPC; errors of the stores.
absl::StatusOr<v1::GetMailStatusResponse> MailStatusOf(const WaveDetails& wave, Outbox& outbox, InvitationStore& invitations,
                                                       SuppressionList& suppressions);

}  // namespace peiling::fieldwork
