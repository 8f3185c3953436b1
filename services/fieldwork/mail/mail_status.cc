#include "services/fieldwork/mail/mail_status.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/mail/plan_mail.h"
#include "services/fieldwork/mail/plan_sources.h"

namespace peiling::fieldwork {

namespace {

// Codes of municipalities with an invitation and nobody to write to.
absl::StatusOr<std::set<std::string>> WithoutContact(const std::string& wave, InvitationStore& invitations, SuppressionList& suppressions) {
  std::vector<v1::Invitation> standing;
  const absl::Status read = invitations.ForEach(wave, [&](const v1::Invitation& invitation) {
    if (!invitation.has_revoked_at()) standing.push_back(invitation);
  });
  if (!read.ok()) return read;
  std::set<std::string> without;
  for (const v1::Invitation& invitation : standing) {
    const absl::StatusOr<bool> receiver = HasReceiver(invitations, suppressions, invitation);
    if (!receiver.ok()) return receiver.status();
    if (!*receiver) without.insert(invitation.municipalities().begin(), invitation.municipalities().end());
  }
  return without;
}

}  // namespace

absl::StatusOr<v1::GetMailStatusResponse> MailStatusOf(const WaveDetails& details, Outbox& outbox, InvitationStore& invitations,
                                                       SuppressionList& suppressions) {
  const std::string& wave = details.wave.name();
  absl::StatusOr<std::vector<v1::StepStatus>> counted = outbox.Counts(wave);
  if (!counted.ok()) return counted.status();
  v1::GetMailStatusResponse response;
  for (const survey::v1::MailingStep& step : details.wave.mailing_plan().steps()) {
    v1::StepStatus& status = *response.add_steps();
    const auto known = std::find_if(counted->begin(), counted->end(), [&step](const auto& other) { return other.step() == step.id(); });
    if (known != counted->end()) {
      status = std::move(*known);
      counted->erase(known);
    }
    status.set_step(step.id());
    status.set_kind(step.kind());
    // That of thanks and colleagues differs by message.
    if (step.anchor() == survey::v1::MAIL_ANCHOR_UNSPECIFIED || step.anchor() == survey::v1::MAIL_ANCHOR_SUBMISSION) continue;
    if (const std::optional<absl::Time> time = StepTime(step, details.wave)) *status.mutable_due_at() = calendar::ToProto(*time);
  }
  for (v1::StepStatus& status : *counted) *response.add_steps() = std::move(status);

  const absl::StatusOr<uint64_t> suppressed = suppressions.Count();
  if (!suppressed.ok()) return suppressed.status();
  response.set_suppressed(static_cast<int64_t>(*suppressed));

  const auto without_contact = WithoutContact(wave, invitations, suppressions);
  if (!without_contact.ok()) return without_contact.status();
  response.mutable_without_contact()->Assign(without_contact->begin(), without_contact->end());
  return response;
}

}  // namespace peiling::fieldwork
