// What the outbox asks about a message before it goes: whether it still may, and what it says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/mail.pb.h"

namespace peiling::fieldwork {

// A mail as it is sent. Personal data: made when it is asked for, never stored.
struct Mail {
  v1::MailContent content;
  // Stands for its address (ContactStore::AddressToken). Kept with the message, so that what comes back suppresses the address it went to,
  // also when the contact has another by then.
  std::string address_token;
  // The link in it; empty: none. Of it the message keeps a hash, so that no mail goes with one that was replaced since.
  std::string link;
};

// Thread-safe. Names of waves and messages are whole ("surveys/s/waves/w").
class MailPolicy {
 public:
  virtual ~MailPolicy() = default;

  // Why each of the messages may not go; nullopt: it may. `at_beginning`: right before sending, when intake is asked who has submitted, and
  // UNAVAILABLE is an answer; else (when it is leased) from what is known here, without a call to another process. Any error lets none go.
  virtual absl::StatusOr<std::vector<std::optional<v1::CancelReason>>> Judge(const std::string& wave,
                                                                             const std::vector<v1::Message>& messages,
                                                                             bool at_beginning) = 0;

  // A message as a mail, with its link. UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED: for now; any other error is of this message alone, which
  // is tried again later, a few times.
  virtual absl::StatusOr<Mail> Compose(const std::string& wave, const v1::Message& message) = 0;

  // Sends no more mail to an address (Mail::address_token), because of what became of a message. Called again after a crash or an error, so
  // that once more must be the same as once. To be durable when OK.
  virtual absl::Status Suppress(const std::string& address_token, v1::SuppressionReason reason, const std::string& message) = 0;
};

}  // namespace peiling::fieldwork
