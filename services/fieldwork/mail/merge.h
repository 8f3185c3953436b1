// What the merge fields of a mail stand for (README.md), and a mail made of a template and them. Without anything that reads or writes.
#pragma once

#include <map>
#include <string>
#include <string_view>

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
};

// The template for a language: that of the tag, else of its main language, else the first. A step has one or more.
const survey::v1::MailTemplate& TemplateFor(const survey::v1::MailingStep& step, std::string_view language);

// Values of all merge fields there are.
std::map<std::string, std::string> FieldValues(const WaveDetails& wave, const v1::Invitation& invitation, const MailReceiver& receiver,
                                               const std::string& link);

// The mail, without unsubscribe_url. Nothing of a value becomes a header, a line or HTML of its own.
v1::MailContent MergeMail(const WaveDetails& wave, const survey::v1::MailTemplate& words, const v1::Invitation& invitation,
                          const MailReceiver& receiver, const std::string& link);

}  // namespace peiling::fieldwork
