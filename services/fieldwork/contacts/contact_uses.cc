#include "services/fieldwork/contacts/contact_uses.h"

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"

namespace peiling::fieldwork {
namespace {

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

absl::Status ContactUses::ForEach(const std::function<void(const std::string& wave, const v1::Message& message)>& visit) const {
  const auto partitions = store_.Partitions("surveys/");
  if (!partitions.ok()) return partitions.status();
  for (const std::string& wave : *partitions) {
    if (absl::Status walked = for_each_message_(wave, [&](const v1::Message& message) { visit(wave, message); }); !walked.ok())
      return walked;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ContactUses::ResponsesOf(const std::string& contact) const {
  std::set<std::string> responses;
  const absl::Status walked = ForEach([&](const std::string& wave, const v1::Message& message) {
    if (message.contact() != contact || !(Went(message.state()) || message.has_sent_at())) return;
    responses.insert(absl::StrCat(wave, "/responses/", names::LastId(message.invitation())));
  });
  if (!walked.ok()) return walked;
  return std::vector<std::string>(responses.begin(), responses.end());
}

absl::StatusOr<std::map<std::string, std::set<std::string>>> ContactUses::Waves() const {
  std::map<std::string, std::set<std::string>> waves;
  const absl::Status walked = ForEach([&](const std::string& wave, const v1::Message& message) {
    if (!message.contact().empty()) waves[message.contact()].insert(wave);
  });
  if (!walked.ok()) return walked;
  return waves;
}

}  // namespace peiling::fieldwork
