// The head of a mail (RFC 5322) and the address it goes back to, whatever is in what was leased: no text can end a line or begin another
// header, no line has more than 76 characters but for what cannot be broken. All functions are thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/mail.pb.h"

namespace peiling::ctl {

// An address as it goes over the wire: a dot-atom, '@', and a domain in its ASCII form (IDNA 2008). nullopt when it is none: quoted names,
// other scripts before the '@', and whatever could be more than an address in a header or an SMTP command.
std::optional<std::string> WireAddress(std::string_view address);

// "Subject: …": as it is when it is ASCII, else as encoded words (RFC 2047), folded.
std::string TextHeader(std::string_view name, std::string_view text);
// "To: \"J. Jansen\" <j.jansen@example.nl>", or the address alone.
std::string AddressHeader(std::string_view name, std::string_view display, const std::string& wire_address);

// The headers of a mail, but for what MIME adds. INVALID_ARGUMENT/MAIL_INVALID when an address or the message's name is none, or the
// address to unsubscribe at is not https (http on this machine alone): RFC 8058.
absl::StatusOr<std::vector<std::string>> MailHeaders(const fieldwork::v1::LeasedMessage& message, absl::Time now);

// "bounces+GM0363.herinnering-1.GM0363-2=0123456789abcdef@example.nl": where reports about a message go back to (VERP), so that they say
// which it is, and prove it. "bounces+=0123456789abcdef@example.nl" when that has more than 64 characters before the '@'; the message's
// name is in the headers of the mail, too.
std::string BounceAddress(const std::string& bounces, const std::string& message, const std::string& return_token);

// What our mails carry to be known by when they come back.
struct MailReference {
  // Full name, or its last part alone; empty when only the token is there.
  std::string message;
  std::string return_token;
};
// Of an address made by BounceAddress; nullopt when it is none.
std::optional<MailReference> ReadBounceAddress(std::string_view address);
// Of a Message-ID made by MailHeaders.
std::optional<MailReference> ReadMessageId(std::string_view message_id);

}  // namespace peiling::ctl
