// Reports of mail servers on what became of a mail (delivery status notifications, RFC 3464 in RFC 6522): what they say of ours. All
// functions are thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/mail.pb.h"

namespace peiling::ctl {

// Bytes of a mail, at most: those that bring a report bring no more of what came back.
inline constexpr size_t kMaxReportBytes = 1 << 20;

struct ReportOptions {
  // "surveys/…/waves/…".
  std::string wave;
  // Takes the word of a report without a token for which mail it is about. Anybody can write such a one.
  bool without_token = false;
};

// What a mail reports of a message of the wave: an event for each receiver it names, with an id that follows from the mail and the
// receiver, so that reporting it again is no second event. Which message: by the address it came to (BounceAddress), else by the headers
// that came back.
//
// A failure is HARD_BOUNCE when it blames the address (5.1.x but for the sender's, 5.2.1, SMTP 550, 551, 553; without any code words such
// as "Unrouteable address" or "User unknown"), and else REJECTED: it did not arrive, and the address is not to blame. One at another
// address than the mail was sent to, which forwarded it, is SOFT_BOUNCE: nobody knows whether it arrived.
//
// INVALID_ARGUMENT with reason REPORT_NONE (some other mail), REPORT_UNREADABLE, REPORT_TOO_LARGE, REPORT_OF_NOTHING (about no mail of
// ours), REPORT_OF_OTHER_WAVE, REPORT_UNPROVEN (without a token).
absl::StatusOr<std::vector<fieldwork::v1::DeliveryEvent>> ReadDeliveryReport(std::string_view mail, const ReportOptions& options,
                                                                             absl::Time now);

}  // namespace peiling::ctl
