#include "services/ctl/client/smtp.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"
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

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeMime {
  void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
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

std::string Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string result = text;
  curl_free(text);
  return result;
}

bool IsThisMachine(const std::string& host) { return host == "localhost" || host == "[::1]" || absl::StartsWith(host, "127."); }

absl::Status CheckUrl(const SmtpOptions& options) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  constexpr unsigned kAny = CURLU_NON_SUPPORT_SCHEME;
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, options.url.c_str(), kAny) != CURLUE_OK) {
    return UsageError("--smtp: want smtp://HOST:PORT or smtps://HOST:PORT");
  }
  const std::string scheme = Part(url.get(), CURLUPART_SCHEME);
  if (scheme != "smtp" && scheme != "smtps") return UsageError("--smtp: want smtp://HOST:PORT or smtps://HOST:PORT");
  if (!Part(url.get(), CURLUPART_USER).empty() || !Part(url.get(), CURLUPART_PASSWORD).empty()) {
    return UsageError("--smtp: user and password go in a file (--smtp-credentials), where others do not see them");
  }
  if (options.insecure && !IsThisMachine(Part(url.get(), CURLUPART_HOST))) {
    return UsageError("--insecure-smtp is for a server on this machine alone");
  }
  return absl::OkStatus();
}

// "5.1.1" at the beginning of what a server said; "" without.
std::string EnhancedCode(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(' '));
  const std::vector<std::string> parts = absl::StrSplit(absl::string_view(word.data(), word.size()), '.');
  if (parts.size() != 3) return "";
  for (const std::string& part : parts) {
    int number = 0;
    if (part.size() > 3 || !absl::SimpleAtoi(part, &number)) return "";
  }
  return std::string(word);
}

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

absl::Status SmtpSender::Unavailable(CURLcode code) const {
  return status::Error(
      absl::StatusCode::kUnavailable, "SMTP_UNAVAILABLE",
      absl::StrCat("the mail server: ", curl_easy_strerror(code), dialogue_.reply.empty() ? "" : "; it said: ", dialogue_.reply));
}

absl::Status SmtpSender::Check() {
  CURL* const handle = handle_.get();
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, nullptr);
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, nullptr);
  curl_easy_setopt(handle, CURLOPT_UPLOAD, 0L);
  curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "NOOP");
  const CURLcode code = Perform();
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, nullptr);
  curl_easy_setopt(handle, CURLOPT_NOBODY, 0L);
  return code == CURLE_OK ? absl::OkStatus() : Unavailable(code);
}

absl::StatusOr<std::optional<MailOutcome>> SmtpSender::Send(const LeasedMessage& message) {
  CURL* const handle = handle_.get();
  List headers, receivers;
  for (const std::string& line : MailHeaders(message, absl::Now())) Append(headers, line);
  if (!message.content().html().empty()) Append(headers, "Content-Type: multipart/alternative");
  Append(receivers, absl::StrCat("<", message.content().to_address(), ">"));
  const Mime mime = Body(handle, message.content());
  const std::string& sender = options_.envelope_sender.empty() ? message.content().from_address() : options_.envelope_sender;
  curl_easy_setopt(handle, CURLOPT_MAIL_FROM, absl::StrCat("<", EnvelopeSender(sender, message.message(), options_.verp), ">").c_str());
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, receivers.get());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, mime.get());
  const CURLcode code = Perform();
  // They do not outlive this call.
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, nullptr);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, nullptr);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, nullptr);

  int reply_code = 0;
  const std::string& reply = dialogue_.reply;
  if (reply.size() < 3 || !absl::SimpleAtoi(reply.substr(0, 3), &reply_code)) reply_code = 0;
  MailOutcome outcome;
  outcome.set_message(message.message());
  outcome.set_sent(code == CURLE_OK);
  if (!outcome.sent()) {
    const bool refused = reply_code >= 400;
    if (!refused && dialogue_.body_begun) return std::nullopt;
    const bool about_mail = dialogue_.command == "RCPT" || dialogue_.command == "DATA";
    if (!refused || !about_mail) return Unavailable(code);
    outcome.set_permanent(reply_code >= 500);
  }
  if (reply_code < 200) return outcome;
  const std::string said = reply.size() > 4 ? reply.substr(4) : "";
  outcome.set_smtp_code(reply_code);
  outcome.set_enhanced_code(EnhancedCode(said));
  // Refused for what it says, not for whom it is for.
  if (outcome.permanent() && dialogue_.command == "DATA" && outcome.enhanced_code().empty()) outcome.set_enhanced_code("5.0.0");
  outcome.set_diagnostic(text::Shorten(Printable(said), kMaxDiagnostic));
  return outcome;
}

}  // namespace peiling::ctl
