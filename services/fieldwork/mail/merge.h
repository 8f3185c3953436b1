// What the merge fields of a mail stand for (README.md), and a mail made of a template and them. Without anything that reads or writes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/survey/v1/mailing.pb.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// Who gets a mail. All but the address may be empty.
struct MailReceiver {
  std::string address;
  std::string full_name;
  std::string salutation;
  std::string job_title;
  // BCP 47.
  std::string language;
  // It is the address of a municipality, not of a person.
  bool general = false;
  // They hold the questionnaire, which somebody handed over to them.
  bool took_over = false;
  // To the questionnaire.
  std::string link;
  // Empty in mail that nobody unsubscribes from.
  std::string unsubscribe_link;
};

// The template for a language: that of the tag, else of its main language, else the first. A step has one or more.
const survey::v1::MailTemplate& TemplateFor(const survey::v1::MailingStep& step, std::string_view language);

// Values of all merge fields there are, in mail that goes now.
std::map<std::string, std::string> FieldValues(absl::Time now, const WaveDetails& wave, const v1::Invitation& invitation,
                                               const MailReceiver& receiver);

// The mail. Nothing of a value becomes a header, a line or HTML of its own.
v1::MailContent MergeMail(absl::Time now, const WaveDetails& wave, const survey::v1::MailTemplate& words, const v1::Invitation& invitation,
                          const MailReceiver& receiver);

}  // namespace peiling::fieldwork
