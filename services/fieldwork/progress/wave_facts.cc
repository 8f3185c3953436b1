#include "services/fieldwork/progress/wave_facts.h"

#include <algorithm>

#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/mail/message_life.h"
#include "services/fieldwork/mail/plan_mail.h"

namespace peiling::fieldwork {
namespace {

// LinkHolder::mail_id of who took over begins so, and of no colleague.
bool IsToWhoTookOver(const v1::Message& message) { return ReceiverOf(message).starts_with('h'); }

}  // namespace

void MailSums::Add(const v1::Message& message) {
  const bool to_contact = !message.contact().empty();
  if (message.kind() == survey::v1::MAIL_KIND_COLLEAGUE && !IsToWhoTookOver(message)) return;
  MailReach& whom = to_contact ? contacts : holders;
  whom.failed |= message.state() == v1::MESSAGE_STATE_FAILED;
  const bool came_back = CameBack(message);
  if (!came_back && message.state() != v1::MESSAGE_STATE_SENT && message.state() != v1::MESSAGE_STATE_DELIVERED) return;
  bounces += came_back ? 1 : 0;
  // Refused at once, it never was handed over.
  if (!message.has_sent_at()) return;
  const bool reminder = message.kind() == survey::v1::MAIL_KIND_REMINDER;
  ++mails;
  reminders += reminder ? 1 : 0;
  whom.reached |= !came_back;
  whom.reminded |= reminder && !came_back;
  const absl::Time sent = calendar::FromProto(message.sent_at());
  last = std::max(last, sent);
  if (to_contact && sent >= last_to_contact) {
    last_contact = message.contact();
    last_to_contact = sent;
  }
}

absl::StatusOr<WaveFacts> ReadWaveFacts(const FactSources& sources, const std::string& wave) {
  auto details = sources.book.Get(wave);
  if (!details.ok()) return details.status();
  WaveFacts facts{.wave = *std::move(details)};
  absl::Status read = sources.for_each_invitation(wave, [&](const v1::Invitation& invitation) {
    if (invitation.state() != v1::INVITATION_STATE_REVOKED) facts.invitations.push_back(invitation);
  });
  if (!read.ok()) return read;
  for (const v1::Invitation& invitation : facts.invitations) {
    const auto has_receiver = sources.has_receiver(invitation);
    if (!has_receiver.ok()) return has_receiver.status();
    if (!*has_receiver) facts.without_receiver.insert(invitation.name());
  }
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
