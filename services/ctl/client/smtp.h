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
  std::string envelope_sender;
  // Puts the message's id in that address (EnvelopeSender).
  bool verp = false;
};

// Not thread-safe.
class SmtpSender {
 public:
  // Usage error when an option does not read; NOT_FOUND/FILE_NOT_FOUND. Warns of nothing, and connects at the first call.
  static absl::StatusOr<std::unique_ptr<SmtpSender>> Open(const SmtpOptions& options);

  // Whether the server is there and lets us in. UNAVAILABLE/SMTP_UNAVAILABLE with what it said.
  absl::Status Check();
  // What became of a mail. nullopt: it may have been sent, the connection broke before the server said so. UNAVAILABLE/SMTP_UNAVAILABLE:
  // it was not sent, and that is not the mail's fault.
  absl::StatusOr<std::optional<fieldwork::v1::MailOutcome>> Send(const fieldwork::v1::LeasedMessage& message);

 private:
  struct Free {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  // What was said in the last call.
  struct Dialogue {
    // First word of the last command.
    std::string command;
    // The last line of the last reply.
    std::string reply;
    bool body_begun = false;
    bool ended = false;
  };

  explicit SmtpSender(SmtpOptions options) : options_(std::move(options)) {}
  absl::Status SetUp();
  CURLcode Perform();
  absl::Status Unavailable(CURLcode code) const;
  static int Listen(CURL* handle, curl_infotype type, char* data, size_t size, void* dialogue);

  const SmtpOptions options_;
  std::unique_ptr<CURL, Free> handle_;
  Dialogue dialogue_;
};

}  // namespace peiling::ctl
