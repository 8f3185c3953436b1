// Sends mail over SMTP, one at a time, over a connection that is kept.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/mail.pb.h"

namespace peiling::ctl {

struct SmtpOptions {
  // "smtp://host[:587]", which must offer STARTTLS, or "smtps://host[:465]".
  std::string url;
  // A file with two lines, user and password; empty: none are asked for.
  std::string credentials_file;
  // Authorities of the server's certificate; empty: those the system believes.
  std::string ca_file;
  // Takes a server without TLS, on this machine alone.
  bool insecure = false;
  // Where what cannot be delivered goes back to; empty: to the sender of each mail.
  std::string bounces;
  // Puts the message and its token in that address (BounceAddress).
  bool verp = true;
};

// Reason of a refusal of whoever sends.
inline constexpr char kSmtpRefused[] = "SMTP_REFUSED";

// What came of sending a mail.
struct Sending {
  // nullopt: it may have been sent, the connection broke before the server said so.
  std::optional<fieldwork::v1::MailOutcome> outcome;
  // Why the outcome is `not_tried`, or there is none: what is wrong with the sender, its server or what lies between, for the next mail
  // just as well. UNAVAILABLE/SMTP_UNAVAILABLE: may pass. PERMISSION_DENIED/SMTP_REFUSED: who sends may not. INVALID_ARGUMENT/MAIL_INVALID:
  // what was leased is no mail.
  absl::Status trouble;
  // It was refused once the server had let us in and had taken the sender: the trouble may be with this receiver or mail alone.
  bool at_receiver = false;
};

// Not thread-safe.
class SmtpSender {
 public:
  // Usage error when an option does not read; NOT_FOUND/FILE_NOT_FOUND. Warns of nothing, and connects at the first call.
  static absl::StatusOr<std::unique_ptr<SmtpSender>> Open(const SmtpOptions& options);

  // Whether the server is there and lets us in. Errors as Sending::trouble. Seldom: servers take few commands that are no mail on a
  // connection (Exim 10).
  absl::Status Check();
  Sending Send(const fieldwork::v1::LeasedMessage& message);

 private:
  struct Free {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  // What was said in the last call.
  struct Dialogue {
    // First word of the last command; empty before the first.
    std::string command;
    // The last line of the last reply.
    std::string reply;
    bool body_begun = false;
    bool ended = false;
  };

  explicit SmtpSender(SmtpOptions options) : options_(std::move(options)) {}
  absl::Status SetUp();
  CURLcode Perform();
  std::string EnvelopeSender(const fieldwork::v1::LeasedMessage& message) const;
  // What is wrong with the sender after a call that ended so, as was said.
  absl::Status Trouble(CURLcode code) const;
  static int Listen(CURL* handle, curl_infotype type, char* data, size_t size, void* dialogue);

  const SmtpOptions options_;
  std::unique_ptr<CURL, Free> handle_;
  Dialogue dialogue_;
};

// "5.1.1" at the beginning of what a server said; "" without.
std::string EnhancedCode(std::string_view text);
// Whether a refusal of a receiver is about who sends rather than about the receiver: "5.7.1 …", "relay not permitted". `reply` without the
// receiver's address, which may have any words.
bool BlamesSender(int smtp_code, std::string_view reply);

}  // namespace peiling::ctl
