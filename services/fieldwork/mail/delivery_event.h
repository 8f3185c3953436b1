// Events of mailing systems: what they must look like, and what they mean for the address.
#pragma once

#include <string>
#include <string_view>

#include "peiling/fieldwork/v1/mail.pb.h"

namespace peiling::fieldwork {

// What is wrong with an event about a message of this wave, or with the outcome of sending one; "": nothing.
std::string ProblemOf(const v1::DeliveryEvent& event, const std::string& wave);
std::string ProblemOf(const v1::MailOutcome& outcome);

// The text with "<address>" for every e-mail address in it: what servers say repeats whom a mail was for.
std::string WithoutAddresses(std::string_view text);

// Why the address is suppressed after an event; UNSPECIFIED: it is not.
v1::SuppressionReason SuppressionAfter(v1::DeliveryEventKind kind);
// Whether a refusal for good is about the address rather than about who sends, or what: by its enhanced status code (RFC 3463: 5.1.x but
// for the sender's address, and a mailbox that is disabled), without one by its reply code (RFC 5321), without codes it is not.
bool BlamesAddress(const v1::MailOutcome& outcome);

}  // namespace peiling::fieldwork
