#include "services/fieldwork/mail/merge.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/survey/mail_template.h"

namespace peiling::fieldwork {
namespace {

using survey::v1::MailTemplate;

// "Utrecht", "Utrecht en Zeist", "Utrecht, Zeist en De Bilt".
std::string TitlesOf(const Frame& frame, const v1::Invitation& invitation) {
  std::string titles;
  const int count = invitation.municipalities_size();
  for (int i = 0; i < count; ++i) {
    const registry::v1::Municipality* municipality = frame.Find(invitation.municipalities(i));
    absl::StrAppend(&titles,
                    i == 0           ? ""
                    : i + 1 == count ? " en "
                                     : ", ",
                    municipality == nullptr ? invitation.municipalities(i) : municipality->title());
  }
  return titles;
}

std::string SalutationOf(const MailReceiver& receiver) {
  if (!receiver.salutation.empty()) return receiver.salutation;
  return receiver.full_name.empty() ? "Geachte heer, mevrouw" : absl::StrCat("Geachte ", receiver.full_name);
}

std::string_view MainLanguage(std::string_view tag) { return tag.substr(0, tag.find('-')); }

}  // namespace

const MailTemplate& TemplateFor(const survey::v1::MailingStep& step, std::string_view language) {
  for (const MailTemplate& words : step.templates()) {
    if (words.language() == language) return words;
  }
  for (const MailTemplate& words : step.templates()) {
    if (MainLanguage(words.language()) == MainLanguage(language)) return words;
  }
  return step.templates(0);
}

std::map<std::string, std::string> FieldValues(absl::Time now, const WaveDetails& wave, const v1::Invitation& invitation,
                                               const MailReceiver& receiver) {
  const survey::v1::MailingPlan& plan = wave.wave.mailing_plan();
  const std::string titles = TitlesOf(*wave.frame, invitation);
  const auto moment = [](bool known, const google::protobuf::Timestamp& time) {
    return known ? calendar::InDutch(calendar::FromProto(time)) : "";
  };
  return {{"aanhef", SalutationOf(receiver)},
          {"contact.naam", receiver.full_name},
          {"contact.functie", receiver.job_title},
          {"gemeente", titles},
          {"de_gemeente", absl::StrCat(invitation.municipalities_size() > 1 ? "de gemeenten " : "de gemeente ", titles)},
          {"peiling", wave.wave.title()},
          {"opent", moment(wave.wave.has_opens_at(), wave.wave.opens_at())},
          {"sluit", moment(wave.wave.has_closes_at(), wave.wave.closes_at())},
          {"wijzigen_tot", moment(!receiver.link.empty() && now < calendar::FromProto(wave.wave.closes_at()), wave.wave.closes_at())},
          {"link", receiver.link},
          {"afmeldlink", receiver.unsubscribe_link},
          {"algemeen", receiver.general ? "ja" : ""},
          {"overgenomen", receiver.took_over ? "ja" : ""},
          {"afzender", plan.sender_name()},
          {"antwoordadres", plan.reply_to().empty() ? plan.sender_address() : plan.reply_to()}};
}

v1::MailContent MergeMail(absl::Time now, const WaveDetails& wave, const MailTemplate& words, const v1::Invitation& invitation,
                          const MailReceiver& receiver) {
  const survey::v1::MailingPlan& plan = wave.wave.mailing_plan();
  const auto values = FieldValues(now, wave, invitation, receiver);
  v1::MailContent content;
  content.set_to_address(survey::OneLine(receiver.address));
  content.set_to_name(survey::OneLine(receiver.full_name));
  content.set_from_address(plan.sender_address());
  content.set_from_name(survey::OneLine(plan.sender_name()));
  content.set_reply_to(plan.reply_to());
  content.set_language(words.language());
  content.set_subject(survey::Merge(words.subject(), values, survey::Markup::kText));
  content.set_text(survey::Merge(words.text(), values, survey::Markup::kText));
  content.set_html(survey::Merge(words.html(), values, survey::Markup::kHtml));
  content.set_unsubscribe_url(receiver.unsubscribe_link);
  for (const auto& [field, value] : values) (*content.mutable_fields())[field] = survey::OneLine(value);
  return content;
}

}  // namespace peiling::fieldwork
