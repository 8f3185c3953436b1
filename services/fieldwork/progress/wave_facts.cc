#include "services/fieldwork/progress/wave_facts.h"

#include <algorithm>

#include "services/common/calendar/amsterdam.h"

namespace peiling::fieldwork {

void MailSums::Add(const v1::Message& message) {
  if (message.kind() == survey::v1::MAIL_KIND_COLLEAGUE) return;
  const v1::MessageState state = message.state();
  const bool kept = state == v1::MESSAGE_STATE_SENT || state == v1::MESSAGE_STATE_DELIVERED;
  // What a server refused for good never was handed over, and tells the same of the address.
  const bool bounced = state == v1::MESSAGE_STATE_BOUNCED || state == v1::MESSAGE_STATE_FAILED;
  reached |= kept;
  bounces += bounced ? 1 : 0;
  if (!kept && state != v1::MESSAGE_STATE_BOUNCED) return;
  ++mails;
  reminders += message.kind() == survey::v1::MAIL_KIND_REMINDER ? 1 : 0;
  if (message.has_sent_at()) last = std::max(last, calendar::FromProto(message.sent_at()));
}

absl::StatusOr<WaveFacts> ReadWaveFacts(const FactSources& sources, const std::string& wave) {
  auto details = sources.book.Get(wave);
  if (!details.ok()) return details.status();
  WaveFacts facts{.wave = *std::move(details)};
  absl::Status read = sources.for_each_invitation(wave, [&](const v1::Invitation& invitation) {
    if (invitation.state() != v1::INVITATION_STATE_REVOKED) facts.invitations.push_back(invitation);
  });
  if (!read.ok()) return read;
  read = sources.for_each_message(wave, [&](const v1::Message& message) { facts.mail[message.invitation()].Add(message); });
  if (!read.ok()) return read;
  sources.book.ForEachResponse(wave, [&](const std::string& id, const ResponseStand& stand) {
    if (!stand.test) facts.responses.emplace(id, stand);
  });
  for (const auto& municipality : facts.wave->frame->municipalities) {
    if (sources.book.HasSubmittedRecord(wave, municipality.code())) facts.submitted.insert(municipality.code());
  }
  return facts;
}

}  // namespace peiling::fieldwork
