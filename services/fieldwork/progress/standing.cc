#include "services/fieldwork/progress/standing.h"

#include <algorithm>
#include <map>

#include "services/common/calendar/amsterdam.h"

namespace peiling::fieldwork {
namespace {

// By municipality.
using Standings = std::map<std::string, Standing>;

Standings Empty(const Frame& frame) {
  Standings standings;
  for (const auto& municipality : frame.municipalities) {
    auto& shown = standings[municipality.code()].shown;
    shown.set_municipality(municipality.code());
    shown.set_title(municipality.title());
    shown.set_size_class(municipality.facts().size_class());
    shown.set_province(municipality.facts().province());
  }
  return standings;
}

// How often mail went from one contact to another. To nobody is no other, nor is the same one again after that.
int Escalations(const v1::Invitation& invitation, const std::string& last) {
  int escalations = 0;
  const std::string* before = nullptr;
  const auto go_to = [&](const std::string& contact) {
    escalations += before != nullptr && *before != contact ? 1 : 0;
    before = &contact;
  };
  for (const std::string& contact : invitation.escalated_from()) go_to(contact);
  if (!last.empty()) go_to(last);
  return escalations;
}

void AddInvitation(const v1::Invitation& invitation, const MailSums& mail, bool has_receiver, Standing& standing) {
  auto& shown = standing.shown;
  shown.set_invitation(invitation.name());
  shown.set_mails(mail.mails);
  shown.set_reminders(mail.reminders);
  shown.set_bounces(mail.bounces);
  // Whoever took over, it was from the contact that was written to last.
  shown.set_escalations(Escalations(invitation, invitation.handed_over() ? mail.last_contact : invitation.contact()));
  if (mail.last != absl::InfinitePast()) *shown.mutable_last_mail_at() = calendar::ToProto(mail.last);
  standing.handed_over = invitation.handed_over();
  const MailReach& reach = standing.handed_over ? mail.holders : mail.contacts;
  standing.reached = reach.reached;
  standing.reminded = reach.reminded;
  standing.only_failed = reach.failed && !reach.reached;
  standing.opened = invitation.has_opened_at();
  standing.contact = invitation.contact();
  standing.nobody_to_write_to = !has_receiver;
  if (standing.opened) standing.last_touched = std::max(standing.last_touched, calendar::FromProto(invitation.opened_at()));
}

void AddResponse(const ResponseStand& response, Standing& standing) {
  auto& shown = standing.shown;
  standing.submitted |= response.state == intake::v1::RESPONSE_STATE_SUBMITTED;
  standing.started |= response.completeness.answered() > 0;
  standing.last_touched = std::max(standing.last_touched, response.updated_at);
  if (response.updated_at != absl::InfinitePast() &&
      (!shown.has_last_activity_at() || calendar::FromProto(shown.last_activity_at()) < response.updated_at)) {
    *shown.mutable_last_activity_at() = calendar::ToProto(response.updated_at);
  }
  const int asked = response.completeness.asked();
  const int percent = asked == 0 ? 0 : static_cast<int>(int64_t{100} * response.completeness.answered() / asked);
  shown.set_percent_done(std::clamp(percent, shown.percent_done(), 100));
}

v1::FieldworkStage StageOf(const Standing& standing) {
  if (standing.submitted) return v1::FIELDWORK_STAGE_SUBMITTED;
  if (standing.started) return v1::FIELDWORK_STAGE_STARTED;
  if (standing.opened) return v1::FIELDWORK_STAGE_OPENED;
  if (standing.reached) return v1::FIELDWORK_STAGE_REACHED;
  if (standing.shown.bounces() > 0 && standing.nobody_to_write_to) return v1::FIELDWORK_STAGE_BOUNCED;
  return standing.shown.invitation().empty() ? v1::FIELDWORK_STAGE_NOT_INVITED : v1::FIELDWORK_STAGE_INVITED;
}

}  // namespace

std::vector<Standing> StandingOf(const WaveFacts& facts) {
  Standings standings = Empty(*facts.wave->frame);
  const auto with = [&](const std::string& code, const auto& change) {
    if (const auto found = standings.find(code); found != standings.end()) change(found->second);
  };
  for (const auto& invitation : facts.invitations) {
    const auto mail = facts.mail.find(invitation.name());
    const MailSums sums = mail == facts.mail.end() ? MailSums() : mail->second;
    const bool has_receiver = !facts.without_receiver.contains(invitation.name());
    for (const auto& code : invitation.municipalities()) {
      with(code, [&](Standing& standing) { AddInvitation(invitation, sums, has_receiver, standing); });
    }
  }
  for (const auto& each : facts.responses) {
    const ResponseStand& response = each.second;
    for (const auto& code : response.municipalities) with(code, [&](Standing& standing) { AddResponse(response, standing); });
  }
  for (const auto& code : facts.submitted) {
    with(code, [](Standing& standing) { standing.submitted = true; });
  }
  std::vector<Standing> sorted;
  for (auto& [code, standing] : standings) {
    standing.started |= standing.submitted;
    standing.shown.set_stage(StageOf(standing));
    sorted.push_back(std::move(standing));
  }
  return sorted;
}

}  // namespace peiling::fieldwork
