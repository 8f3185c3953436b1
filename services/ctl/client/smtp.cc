#include "services/ctl/client/smtp.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/common/server/listen.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"
#include "services/common/url/url.h"
#include "services/ctl/client/errors.h"
#include "services/ctl/client/files.h"
#include "services/ctl/client/mail_text.h"
#include "services/ctl/output/terminal.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::LeasedMessage;
using fieldwork::v1::MailOutcome;

constexpr long kConnectSeconds = 30;
// RFC 5321 grants a server ten minutes after the mail's end.
constexpr long kSeconds = 600;
constexpr size_t kMaxCredentialsBytes = 4096;
// Bytes.
constexpr size_t kMaxDiagnostic = 990;
// Before the '@' of an address for reports: "+=" and the token come behind it.
constexpr size_t kMaxBox = 40;
// Bytes.
constexpr size_t kLeastName = 4;
// "5.1.3": no address (RFC 3463).
constexpr char kBadAddress[] = "5.1.3";

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeMime {
  void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};
using List = std::unique_ptr<curl_slist, FreeList>;
using Mime = std::unique_ptr<curl_mime, FreeMime>;

void Append(List& list, const std::string& line) {
  // Takes the old head over, unless there is no memory: then that stays as it is.
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return;
  static_cast<void>(list.release());
  list.reset(longer);
}

absl::Status CheckUrl(const SmtpOptions& options) {
  const std::optional<Url> url = ParseUrl(options.url);
  if (!url || (url->scheme != "smtp" && url->scheme != "smtps")) return UsageError("--smtp: want smtp://HOST:PORT or smtps://HOST:PORT");
  if (!url->user.empty() || !url->password.empty()) {
    return UsageError("--smtp: user and password go in a file (--smtp-credentials), where others do not see them");
  }
  if (options.insecure && !server::IsLoopback(url->host)) {
    return UsageError("--insecure-smtp is for a server on this machine alone");
  }
  return absl::OkStatus();
}

absl::Status CheckBounces(const SmtpOptions& options) {
  if (options.bounces.empty()) return absl::OkStatus();
  const std::optional<std::string> address = WireAddress(options.bounces);
  if (!address || address->rfind('@') > kMaxBox) {
    return UsageError(absl::StrCat("--bounces: want an e-mail address with at most ", kMaxBox, " characters before the '@'"));
  }
  return absl::OkStatus();
}

// What the server said without what is personal in it: it repeats whom a mail was for.
std::string WithoutReceiver(std::string_view said, const fieldwork::v1::MailContent& content) {
  std::string text = Printable(said);
  for (const std::string& personal : {content.to_address(), content.to_name()}) {
    // Shorter names are parts of words.
    if (personal.size() < kLeastName) continue;
    const std::string lower = absl::AsciiStrToLower(personal);
    for (size_t at = 0; (at = absl::AsciiStrToLower(text).find(lower, at)) != std::string::npos; at += 3) {
      text.replace(at, personal.size(), "<…>");
    }
  }
  return text::Shorten(text, kMaxDiagnostic);
}

// 0: none.
int ReplyCode(const std::string& reply) {
  int code = 0;
  return reply.size() >= 3 && absl::SimpleAtoi(reply.substr(0, 3), &code) ? code : 0;
}

bool AsksForLogin(int smtp_code) { return smtp_code == 530 || smtp_code == 535; }

// Plain text, and the same as HTML when there is any.
Mime Body(CURL* handle, const fieldwork::v1::MailContent& content) {
  Mime mime(curl_mime_init(handle));
  const auto add = [&mime](const std::string& text, const char* type) {
    // Line ends as mail has them; others would be encoded as if they were letters.
    const std::string lines = absl::StrReplaceAll(text, {{"\r\n", "\r\n"}, {"\n", "\r\n"}});
    curl_mimepart* const part = curl_mime_addpart(mime.get());
    curl_mime_data(part, lines.data(), lines.size());
    curl_mime_type(part, type);
    curl_mime_encoder(part, "quoted-printable");
  };
  add(content.text(), "text/plain; charset=utf-8");
  if (!content.html().empty()) add(content.html(), "text/html; charset=utf-8");
  return mime;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SmtpSender>> SmtpSender::Open(const SmtpOptions& options) {
  if (absl::Status valid = CheckUrl(options); !valid.ok()) return valid;
  if (absl::Status valid = CheckBounces(options); !valid.ok()) return valid;
  std::unique_ptr<SmtpSender> sender(new SmtpSender(options));
  if (absl::Status ready = sender->SetUp(); !ready.ok()) return ready;
  return sender;
}

absl::Status SmtpSender::SetUp() {
  handle_.reset(curl_easy_init());
  CURL* const handle = handle_.get();
  if (handle == nullptr) return absl::InternalError("no connection can be made");
  curl_easy_setopt(handle, CURLOPT_URL, options_.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(handle, CURLOPT_USE_SSL, static_cast<long>(options_.insecure ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options_.ca_file.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
    // Else Debian's libcurl goes on believing the system's, too.
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, kSeconds);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, &SmtpSender::Listen);
  curl_easy_setopt(handle, CURLOPT_DEBUGDATA, &dialogue_);
  if (options_.credentials_file.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadFile(options_.credentials_file, kMaxCredentialsBytes);
  if (!text.ok()) return text.status();
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  if (lines.size() < 2 || lines[0].empty()) return UsageError("--smtp-credentials: want a file with two lines, user and password");
  curl_easy_setopt(handle, CURLOPT_USERNAME, std::string(absl::StripAsciiWhitespace(lines[0])).c_str());
  curl_easy_setopt(handle, CURLOPT_PASSWORD, std::string(absl::StripAsciiWhitespace(lines[1])).c_str());
  return absl::OkStatus();
}

// What both sides say, which is how a refusal of the mail is told from one of us.
int SmtpSender::Listen(CURL*, curl_infotype type, char* data, size_t size, void* dialogue) {
  auto& seen = *static_cast<Dialogue*>(dialogue);
  const std::string_view text(data, size);
  const std::string_view word = text.substr(0, text.find_first_of(" \r\n"));
  // After a refusal libcurl takes its leave, which says no more about the mail.
  seen.ended = seen.ended || (type == CURLINFO_HEADER_OUT && word == "QUIT");
  if (seen.ended) return 0;
  if (type == CURLINFO_HEADER_OUT) seen.command = std::string(word);
  if (type == CURLINFO_DATA_OUT) seen.body_begun = true;
  if (type == CURLINFO_HEADER_IN) seen.reply = std::string(absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size())));
  return 0;
}

CURLcode SmtpSender::Perform() {
  dialogue_ = {};
  return curl_easy_perform(handle_.get());
}

absl::Status SmtpSender::Trouble(CURLcode code) const {
  const int reply_code = ReplyCode(dialogue_.reply);
  const std::string said = dialogue_.reply.empty() ? "" : "; it said: " + Printable(dialogue_.reply);
  if (reply_code >= 500) {
    return status::Error(absl::StatusCode::kPermissionDenied, kSmtpRefused,
                         absl::StrCat("the mail server does not let this sender send", said));
  }
  return status::Error(absl::StatusCode::kUnavailable, "SMTP_UNAVAILABLE",
                       absl::StrCat("the mail server: ", code == CURLE_OK ? "not now" : curl_easy_strerror(code), said));
}

absl::Status SmtpSender::Check() {
  CURL* const handle = handle_.get();
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, nullptr);
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, nullptr);
  curl_easy_setopt(handle, CURLOPT_UPLOAD, 0L);
  curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "NOOP");
  CURLcode code = Perform();
  long connections = 0;
  curl_easy_getinfo(handle, CURLINFO_NUM_CONNECTS, &connections);
  if (code != CURLE_OK && connections == 0) {
    // It may be the old connection alone that nothing more is taken on.
    curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
    code = Perform();
    curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 0L);
  }
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, nullptr);
  curl_easy_setopt(handle, CURLOPT_NOBODY, 0L);
  return code == CURLE_OK ? absl::OkStatus() : Trouble(code);
}

Sending SmtpSender::Send(const LeasedMessage& message) {
  MailOutcome outcome;
  outcome.set_message(message.message());
  const fieldwork::v1::MailContent& content = message.content();
  const std::optional<std::string> receiver = WireAddress(content.to_address());
  if (!receiver) {
    outcome.set_permanent(true);
    outcome.set_enhanced_code(kBadAddress);
    outcome.set_diagnostic("no e-mail address");
    return {outcome, absl::OkStatus()};
  }
  const auto lines = MailHeaders(message, absl::Now());
  if (!lines.ok()) {
    outcome.set_not_tried(true);
    return {outcome, lines.status()};
  }
  CURL* const handle = handle_.get();
  List headers, receivers;
  for (const std::string& line : *lines) Append(headers, line);
  if (!content.html().empty()) Append(headers, "Content-Type: multipart/alternative");
  Append(receivers, absl::StrCat("<", *receiver, ">"));
  const Mime mime = Body(handle, content);
  curl_easy_setopt(handle, CURLOPT_MAIL_FROM, absl::StrCat("<", EnvelopeSender(message), ">").c_str());
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, receivers.get());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, mime.get());
  const CURLcode code = Perform();
  // They do not outlive this call.
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, nullptr);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, nullptr);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, nullptr);

  const int reply_code = ReplyCode(dialogue_.reply);
  const std::string said = WithoutReceiver(dialogue_.reply.size() > 4 ? dialogue_.reply.substr(4) : "", content);
  outcome.set_sent(code == CURLE_OK);
  if (reply_code >= 200) {
    outcome.set_smtp_code(reply_code);
    outcome.set_enhanced_code(EnhancedCode(said));
    outcome.set_diagnostic(said);
  }
  if (outcome.sent()) return {outcome, absl::OkStatus()};
  const bool refused = reply_code >= 400;
  if (!refused && dialogue_.body_begun) return {std::nullopt, Trouble(code)};
  const bool about_mail = refused && (dialogue_.command == "RCPT" || dialogue_.command == "DATA");
  if (!about_mail || BlamesSender(reply_code, said)) {
    outcome.set_not_tried(true);
    return {outcome, Trouble(code), about_mail && reply_code >= 500 && !AsksForLogin(reply_code)};
  }
  outcome.set_permanent(reply_code >= 500);
  // Refused for what it says, not for whom it is for.
  if (outcome.permanent() && dialogue_.command == "DATA" && outcome.enhanced_code().empty()) outcome.set_enhanced_code("5.0.0");
  return {outcome, absl::OkStatus()};
}

std::string SmtpSender::EnvelopeSender(const LeasedMessage& message) const {
  if (options_.bounces.empty()) return *WireAddress(message.content().from_address());
  const std::string bounces = *WireAddress(options_.bounces);
  return options_.verp ? BounceAddress(bounces, message.message(), message.return_token()) : bounces;
}

std::string EnhancedCode(std::string_view text) {
  const auto is_number = [](const std::string& part) {
    return !part.empty() && part.size() <= 3 && std::all_of(part.begin(), part.end(), absl::ascii_isdigit);
  };
  const std::string_view word = text.substr(0, text.find_first_of(" :;,"));
  const std::vector<std::string> parts = absl::StrSplit(absl::string_view(word.data(), word.size()), '.');
  const bool reads =
      parts.size() == 3 && (parts[0] == "2" || parts[0] == "4" || parts[0] == "5") && is_number(parts[1]) && is_number(parts[2]);
  return reads ? std::string(word) : "";
}

bool BlamesSender(int smtp_code, std::string_view reply) {
  const std::string enhanced = EnhancedCode(reply);
  const auto is_about = [&enhanced](std::string_view subject) { return enhanced.size() > 4 && enhanced.substr(1, 3) == subject; };
  if (smtp_code == 421 || AsksForLogin(smtp_code)) return true;
  // The receiver's address or mailbox.
  if (is_about(".1.") || is_about(".2.")) return false;
  // No room on the server.
  if (smtp_code == 452) return true;
  const std::string lower = absl::AsciiStrToLower(absl::string_view(reply.data(), reply.size()));
  return smtp_code >= 500 && (is_about(".7.") || absl::StrContains(lower, "relay"));
}

}  // namespace peiling::ctl
