#include "services/ctl/client/mail_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/names/resource_names.h"

namespace peiling::ctl {
namespace {

// Bytes in one encoded word, so that with its frame it has at most 75 characters.
constexpr size_t kEncodedBytes = 45;
// Before the '@' (RFC 5321).
constexpr size_t kMaxLocal = 64;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c < 0x7F; }) &&
         text.find("=?") == std::string_view::npos;
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return absl::ascii_iscntrl(c); }, ' ');
  return line;
}

std::string Encoded(std::string_view text) {
  std::string words;
  while (!text.empty()) {
    size_t length = std::min(kEncodedBytes, text.size());
    while (length < text.size() && length > 1 && IsContinuation(text[length])) --length;
    absl::StrAppend(&words, words.empty() ? "" : "\r\n ", "=?UTF-8?B?", absl::Base64Escape({text.data(), length}), "?=");
    text.remove_prefix(length);
  }
  return words;
}

// Of an address.
std::string DomainOf(const std::string& address) { return address.substr(address.rfind('@') + 1); }

}  // namespace

std::string HeaderText(std::string_view text) {
  const std::string line = OneLine(text);
  return IsPlain(line) ? line : Encoded(line);
}

std::string HeaderAddress(const std::string& name, const std::string& address) {
  if (name.empty()) return OneLine(address);
  const std::string line = OneLine(name);
  const std::string shown =
      IsPlain(line) ? absl::StrCat("\"", absl::StrReplaceAll(line, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"") : Encoded(line);
  return absl::StrCat(shown, " <", OneLine(address), ">");
}

std::vector<std::string> MailHeaders(const fieldwork::v1::LeasedMessage& message, absl::Time now) {
  const fieldwork::v1::MailContent& content = message.content();
  std::vector<std::string> headers = {
      absl::StrCat("Date: ", absl::FormatTime("%a, %d %b %Y %H:%M:%S +0000", now, absl::UTCTimeZone())),
      "From: " + HeaderAddress(content.from_name(), content.from_address()),
      "To: " + HeaderAddress(content.to_name(), content.to_address()),
      "Subject: " + HeaderText(content.subject()),
      // The same however often it is sent, so that a receiver knows one mail from two.
      absl::StrCat("Message-ID: <", absl::StrReplaceAll(message.message(), {{"/", "."}}), "@", DomainOf(content.from_address()), ">"),
      "X-Peiling-Message: " + message.message(),
      "Auto-Submitted: auto-generated",
  };
  if (!content.reply_to().empty()) headers.push_back("Reply-To: " + OneLine(content.reply_to()));
  if (!content.language().empty()) headers.push_back("Content-Language: " + OneLine(content.language()));
  if (!content.unsubscribe_url().empty()) {
    headers.push_back(absl::StrCat("List-Unsubscribe: <", OneLine(content.unsubscribe_url()), ">"));
    headers.push_back("List-Unsubscribe-Post: List-Unsubscribe=One-Click");
  }
  return headers;
}

std::string EnvelopeSender(const std::string& sender, const std::string& message, bool verp) {
  const size_t at = sender.rfind('@');
  const std::string local = absl::StrCat(sender.substr(0, at), "+", names::LastId(message));
  return verp && at != std::string::npos && local.size() <= kMaxLocal ? local + sender.substr(at) : sender;
}

}  // namespace peiling::ctl
