// The headers of a mail (RFC 5322), whatever letters are in them. What would end a header becomes a space. All functions are thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "peiling/fieldwork/v1/mail.pb.h"

namespace peiling::ctl {

// Text of a header: as it is when it is ASCII, else as encoded words (RFC 2047), folded.
std::string HeaderText(std::string_view text);
// "Naam <naam@example.nl>", or the address alone.
std::string HeaderAddress(const std::string& name, const std::string& address);

// The lines of a mail's head, but for what MIME adds: "Subject: …".
std::vector<std::string> MailHeaders(const fieldwork::v1::LeasedMessage& message, absl::Time now);

// "bounces+GM0363.herinnering-1.2@example.nl": a sender's address with the message in it (VERP), so that what comes back says what it was.
// The address itself when that would be longer than an address may be.
std::string EnvelopeSender(const std::string& sender, const std::string& message, bool verp);

}  // namespace peiling::ctl
