#include "services/fieldwork/contacts/contact_uses.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/resource_names.h"

namespace peiling::fieldwork {
namespace {

// What partitions of waves begin with.
constexpr char kWaves[] = "surveys/";

// Whether it reached its contact, or may have: one that came back did not, nor one that was never begun.
bool MayHaveArrived(const v1::Message& message) {
  switch (message.state()) {
    case v1::MESSAGE_STATE_BOUNCED:
      return false;
    case v1::MESSAGE_STATE_BEGUN:
    case v1::MESSAGE_STATE_UNCERTAIN:
    case v1::MESSAGE_STATE_SENT:
    case v1::MESSAGE_STATE_DELIVERED:
      return true;
    default:
      return message.has_sent_at();
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ContactUses::ResponsesOf(const std::string& contact) const {
  const auto waves = store_.Partitions(kWaves);
  if (!waves.ok()) return waves.status();
  std::set<std::string> responses;
  for (const std::string& wave : *waves) {
    absl::Status walked = for_each_message_(wave, [&](const v1::Message& message) {
      if (message.contact() != contact || !MayHaveArrived(message)) return;
      responses.insert(absl::StrCat(wave, "/responses/", names::LastId(message.invitation())));
    });
    if (!walked.ok()) return walked;
    walked = for_each_invitation_(wave, [&](const InvitationUse& use) {
      const bool opened = std::find(use.opened_by.begin(), use.opened_by.end(), contact) != use.opened_by.end();
      if (opened && !use.invitation.response().empty()) responses.insert(use.invitation.response());
    });
    if (!walked.ok()) return walked;
  }
  return std::vector<std::string>(responses.begin(), responses.end());
}

absl::StatusOr<ContactUses::Uses> ContactUses::All() const {
  const auto waves = store_.Partitions(kWaves);
  if (!waves.ok()) return waves.status();
  Uses uses;
  for (const std::string& wave : *waves) {
    absl::Time last = absl::InfinitePast();
    const auto use = [&](const std::string& contact) {
      if (!contact.empty()) uses.waves[contact].insert(wave);
    };
    absl::Status walked = for_each_message_(wave, [&](const v1::Message& message) {
      use(message.contact());
      if (message.has_sent_at()) last = std::max(last, calendar::FromProto(message.sent_at()));
    });
    if (!walked.ok()) return walked;
    walked = for_each_invitation_(wave, [&](const InvitationUse& one) {
      use(one.invitation.contact());
      for (const std::string& before : one.invitation.escalated_from()) use(before);
      for (const std::string& before : one.opened_by) use(before);
      last = std::max(last, one.last);
    });
    if (!walked.ok()) return walked;
    if (last != absl::InfinitePast()) uses.last_use[wave] = last;
  }
  return uses;
}

}  // namespace peiling::fieldwork
