#include "services/fieldwork/contacts/contact_uses.h"

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"

namespace peiling::fieldwork {
namespace {

// What partitions of waves begin with.
constexpr char kWaves[] = "surveys/";

// Whether it went, or may have.
bool Went(v1::MessageState state) {
  switch (state) {
    case v1::MESSAGE_STATE_BEGUN:
    case v1::MESSAGE_STATE_UNCERTAIN:
    case v1::MESSAGE_STATE_SENT:
    case v1::MESSAGE_STATE_DELIVERED:
    case v1::MESSAGE_STATE_BOUNCED:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ContactUses::ResponsesOf(const std::string& contact) const {
  const auto waves = store_.Partitions(kWaves);
  if (!waves.ok()) return waves.status();
  std::set<std::string> responses;
  for (const std::string& wave : *waves) {
    const absl::Status walked = for_each_message_(wave, [&](const v1::Message& message) {
      if (message.contact() != contact || !(Went(message.state()) || message.has_sent_at())) return;
      responses.insert(absl::StrCat(wave, "/responses/", names::LastId(message.invitation())));
    });
    if (!walked.ok()) return walked;
  }
  return std::vector<std::string>(responses.begin(), responses.end());
}

absl::StatusOr<std::map<std::string, std::set<std::string>>> ContactUses::Waves() const {
  const auto waves = store_.Partitions(kWaves);
  if (!waves.ok()) return waves.status();
  std::map<std::string, std::set<std::string>> uses;
  for (const std::string& wave : *waves) {
    const auto use = [&](const std::string& contact) {
      if (!contact.empty()) uses[contact].insert(wave);
    };
    absl::Status walked = for_each_message_(wave, [&](const v1::Message& message) { use(message.contact()); });
    if (!walked.ok()) return walked;
    walked = for_each_invitation_(wave, [&](const v1::Invitation& invitation) {
      use(invitation.contact());
      for (const std::string& before : invitation.escalated_from()) use(before);
    });
    if (!walked.ok()) return walked;
  }
  return uses;
}

}  // namespace peiling::fieldwork
