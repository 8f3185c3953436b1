// A wave of six municipalities, for tests of its progress.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/progress/wave_facts.h"

namespace peiling::fieldwork {

inline constexpr char kWave[] = "surveys/s/waves/2026";

inline registry::v1::Municipality MakeMunicipality(const std::string& code, survey::v1::SizeClass size, const std::string& province,
                                                   const std::string& group = "") {
  registry::v1::Municipality municipality;
  municipality.set_code(code);
  municipality.set_title(absl::StrCat("Gemeente ", code));
  municipality.mutable_facts()->set_size_class(size);
  municipality.mutable_facts()->set_province(province);
  if (!group.empty()) {
    municipality.add_groups()->set_group(group);
    municipality.mutable_groups(0)->set_from("2000-01-01");
  }
  return municipality;
}

// Three small ones in Utrecht, two in Drenthe of which one is large, one very large one in Utrecht that is of the G4.
inline std::shared_ptr<WaveDetails> MakeWave() {
  auto frame = std::make_shared<Frame>();
  frame->municipalities = {MakeMunicipality("GM0001", survey::v1::SIZE_CLASS_UNDER_50K, "Utrecht"),
                           MakeMunicipality("GM0002", survey::v1::SIZE_CLASS_UNDER_50K, "Utrecht"),
                           MakeMunicipality("GM0003", survey::v1::SIZE_CLASS_UNDER_50K, "Utrecht"),
                           MakeMunicipality("GM0004", survey::v1::SIZE_CLASS_UNDER_50K, "Drenthe"),
                           MakeMunicipality("GM0005", survey::v1::SIZE_CLASS_100K_TO_200K, "Drenthe"),
                           MakeMunicipality("GM0006", survey::v1::SIZE_CLASS_200K_AND_OVER, "Utrecht", "G4")};
  auto details = std::make_shared<WaveDetails>();
  details->wave.set_name(kWave);
  details->wave.set_frame_date("2026-01-01");
  *details->wave.mutable_opens_at() = calendar::ToProto(*calendar::ParseLocalMinute("2026-03-24 09:00"));
  *details->wave.mutable_closes_at() = calendar::ToProto(*calendar::ParseLocalMinute("2026-04-21 17:00"));
  details->frame = std::move(frame);
  return details;
}

inline v1::Invitation MakeInvitation(const std::vector<std::string>& codes, const std::string& contact = "c") {
  v1::Invitation invitation;
  invitation.set_name(absl::StrCat(kWave, "/invitations/", codes.front()));
  for (const auto& code : codes) invitation.add_municipalities(code);
  invitation.set_state(v1::INVITATION_STATE_ISSUED);
  if (!contact.empty()) invitation.set_contact(absl::StrCat("municipalities/", codes.front(), "/contacts/", contact));
  return invitation;
}

inline v1::Message MakeMessage(const std::string& code, v1::MessageState state,
                               survey::v1::MailKind kind = survey::v1::MAIL_KIND_INVITATION, const std::string& sent = "2026-03-24 10:00") {
  v1::Message message;
  message.set_name(absl::StrCat(kWave, "/messages/", code, ".step.", code, "-c"));
  message.set_invitation(absl::StrCat(kWave, "/invitations/", code));
  message.set_contact(absl::StrCat("municipalities/", code, "/contacts/c"));
  message.set_state(state);
  message.set_kind(kind);
  *message.mutable_sent_at() = calendar::ToProto(*calendar::ParseLocalMinute(sent));
  return message;
}

// Of who has a link of their own: "h2" took over, "c1" is a colleague.
inline v1::Message MakeMessageToHolder(const std::string& code, const std::string& receiver, v1::MessageState state,
                                       survey::v1::MailKind kind = survey::v1::MAIL_KIND_COLLEAGUE) {
  v1::Message message = MakeMessage(code, state, kind);
  message.set_name(absl::StrCat(kWave, "/messages/", code, ".step.", receiver));
  message.clear_contact();
  return message;
}

inline ResponseStand MakeStand(intake::v1::ResponseState state, const std::vector<std::string>& codes, int answered,
                               const std::string& updated = "2026-03-25 10:00") {
  ResponseStand stand{.state = state, .municipalities = codes, .updated_at = *calendar::ParseLocalMinute(updated)};
  stand.completeness.set_asked(40);
  stand.completeness.set_answered(answered);
  return stand;
}

}  // namespace peiling::fieldwork
