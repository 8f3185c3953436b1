#include "services/ctl/client/mail_text.h"

#include <idn2.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"
#include "services/common/url/url.h"

namespace peiling::ctl {
namespace {

// Characters of a line: what it should have, and must not pass.
constexpr size_t kLine = 76;
constexpr size_t kMaxLine = 998;
// Bytes in one encoded word: behind the longest name of a header it still fits on the line.
constexpr size_t kEncodedBytes = 39;
// Before the '@', and of all (RFC 5321).
constexpr size_t kMaxLocal = 64;
constexpr size_t kMaxAddress = 254;
constexpr size_t kMaxToken = 64;
constexpr char kMessage[] = "surveys/*/waves/*/messages/*";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status Invalid(std::string_view what) {
  return status::Error(absl::StatusCode::kInvalidArgument, "MAIL_INVALID", absl::StrCat("no such mail can be sent: ", View(what)));
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c < 0x7F; }) &&
         text.find("=?") == std::string_view::npos;
}

// Words, without whatever stood between them.
std::vector<std::string> Words(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return absl::ascii_iscntrl(c); }, ' ');
  return absl::StrSplit(line, ' ', absl::SkipEmpty());
}

std::vector<std::string> EncodedWords(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    size_t length = std::min(kEncodedBytes, text.size());
    while (length < text.size() && length > 1 && IsContinuation(text[length])) --length;
    words.push_back(absl::StrCat("=?UTF-8?B?", absl::Base64Escape(View(text.substr(0, length))), "?="));
    text.remove_prefix(length);
  }
  return words;
}

// What the text is written as; a line may be broken between any two.
std::vector<std::string> Pieces(std::string_view text) {
  std::vector<std::string> words = Words(text);
  const std::string line = absl::StrJoin(words, " ");
  const bool fits = std::all_of(words.begin(), words.end(), [](const std::string& word) { return word.size() <= kEncodedBytes; });
  return IsPlain(line) && fits ? words : EncodedWords(text::Shorten(line, kMaxLine));
}

// The header with its pieces, each on the line when it fits and else on the next.
std::string Fold(std::string_view name, const std::vector<std::string>& pieces) {
  std::string header = absl::StrCat(View(name), ":");
  size_t on_line = header.size();
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool fits = i == 0 || on_line + 1 + pieces[i].size() <= kLine;
    absl::StrAppend(&header, fits ? " " : "\r\n ", pieces[i]);
    on_line = (fits ? on_line : 0) + 1 + pieces[i].size();
  }
  return header;
}

bool IsAtext(char c) { return absl::ascii_isalnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos; }

bool IsLocal(std::string_view local) {
  return !local.empty() && local.size() <= kMaxLocal && local.front() != '.' && local.back() != '.' &&
         local.find("..") == std::string_view::npos &&
         std::all_of(local.begin(), local.end(), [](char c) { return c == '.' || IsAtext(c); });
}

bool IsHost(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '.'; });
}

bool IsToken(std::string_view token) { return token.size() <= kMaxToken && std::all_of(token.begin(), token.end(), absl::ascii_isalnum); }

// Whether mail programs may be told to send a POST there.
bool MayUnsubscribeAt(const std::string& address) {
  const auto is_part = [](char c) { return c > ' ' && c < 0x7F && c != '<' && c != '>' && c != ','; };
  if (address.size() > kMaxLine / 2 || !std::all_of(address.begin(), address.end(), is_part)) return false;
  const std::optional<Url> url = ParseUrl(address);
  return url && IsHttpsOrOwnMachine(*url);
}

// The last part of a message's name and its token.
std::string Reference(const std::string& message, const std::string& return_token) {
  return absl::StrCat(message, return_token.empty() ? "" : "=", return_token);
}

std::optional<MailReference> ReadReference(std::string_view text) {
  const size_t equals = text.rfind('=');
  MailReference reference;
  reference.message = std::string(text.substr(0, equals));
  if (equals != std::string_view::npos) reference.return_token = std::string(text.substr(equals + 1));
  const bool names_message = names::IsId(reference.message);
  if (!IsToken(reference.return_token) || (!reference.message.empty() && !names_message)) return std::nullopt;
  if (reference.message.empty() && reference.return_token.empty()) return std::nullopt;
  return reference;
}

}  // namespace

std::optional<std::string> WireAddress(std::string_view address) {
  const size_t at = address.find('@');
  if (at == std::string_view::npos || address.size() > 4 * kMaxAddress || address.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string_view local = address.substr(0, at);
  const std::string domain(address.substr(at + 1));
  uint8_t* ascii = nullptr;
  const int made = idn2_lookup_u8(reinterpret_cast<const uint8_t*>(domain.c_str()), &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<uint8_t, decltype(&idn2_free)> owned(ascii, &idn2_free);
  // The library lets through any ASCII.
  if (made != IDN2_OK || !IsLocal(local) || !IsHost(reinterpret_cast<const char*>(ascii))) return std::nullopt;
  std::string wire = absl::StrCat(View(local), "@", reinterpret_cast<const char*>(ascii));
  if (wire.size() > kMaxAddress) return std::nullopt;
  return wire;
}

std::string TextHeader(std::string_view name, std::string_view text) { return Fold(name, Pieces(text)); }

std::string AddressHeader(std::string_view name, std::string_view display, const std::string& wire_address) {
  std::vector<std::string> pieces = Pieces(display);
  if (pieces.empty()) return Fold(name, {wire_address});
  if (pieces[0].substr(0, 2) != "=?") {
    for (std::string& piece : pieces) piece = absl::StrReplaceAll(piece, {{"\\", "\\\\"}, {"\"", "\\\""}});
    pieces.front().insert(0, "\"");
    pieces.back() += '"';
  }
  pieces.push_back(absl::StrCat("<", wire_address, ">"));
  return Fold(name, pieces);
}

absl::StatusOr<std::vector<std::string>> MailHeaders(const fieldwork::v1::LeasedMessage& message, absl::Time now) {
  const fieldwork::v1::MailContent& content = message.content();
  const auto from = WireAddress(content.from_address()), to = WireAddress(content.to_address());
  const auto reply_to = WireAddress(content.reply_to());
  if (!from) return Invalid("its sender has no e-mail address");
  if (!to) return Invalid("its receiver has no e-mail address");
  if (!reply_to && !content.reply_to().empty()) return Invalid("answers to it go to no e-mail address");
  if (!names::Match(message.message(), kMessage) || !IsToken(message.return_token())) return Invalid("it has no name");
  std::vector<std::string> headers = {
      absl::StrCat("Date: ", absl::FormatTime("%a, %d %b %Y %H:%M:%S +0000", now, absl::UTCTimeZone())),
      AddressHeader("From", content.from_name(), *from),
      AddressHeader("To", content.to_name(), *to),
      TextHeader("Subject", content.subject()),
      // The same however often it is sent, so that a receiver knows one mail from two. With the token, since it comes back with the
      // headers.
      absl::StrCat("Message-ID: <", absl::StrReplaceAll(Reference(message.message(), message.return_token()), {{"/", "."}}),
                   from->substr(from->rfind('@')), ">"),
      absl::StrCat("X-Peiling-Message: ", message.message()),
      "Auto-Submitted: auto-generated",
  };
  if (reply_to) headers.push_back(AddressHeader("Reply-To", "", *reply_to));
  if (names::IsId(content.language())) headers.push_back(absl::StrCat("Content-Language: ", content.language()));
  if (!content.unsubscribe_url().empty()) {
    if (!MayUnsubscribeAt(content.unsubscribe_url())) {
      return Invalid("the address to unsubscribe at is not https; see fieldwork's --public-url");
    }
    headers.push_back(absl::StrCat("List-Unsubscribe: <", content.unsubscribe_url(), ">"));
    headers.emplace_back("List-Unsubscribe-Post: List-Unsubscribe=One-Click");
  }
  return headers;
}

std::string BounceAddress(const std::string& bounces, const std::string& message, const std::string& return_token) {
  const size_t at = bounces.rfind('@');
  const std::string box = bounces.substr(0, at), domain = bounces.substr(at);
  std::string local = absl::StrCat(box, "+", Reference(names::LastId(message), return_token));
  if (local.size() > kMaxLocal) local = return_token.empty() ? box : absl::StrCat(box, "+", Reference("", return_token));
  return local + domain;
}

std::optional<MailReference> ReadBounceAddress(std::string_view address) {
  const std::string_view local = address.substr(0, address.rfind('@'));
  const size_t plus = local.rfind('+');
  if (plus == std::string_view::npos) return std::nullopt;
  return ReadReference(local.substr(plus + 1));
}

std::optional<MailReference> ReadMessageId(std::string_view message_id) {
  const size_t begin = message_id.find('<'), at = message_id.rfind('@');
  if (begin == std::string_view::npos || at == std::string_view::npos || at < begin) return std::nullopt;
  const std::string_view local = message_id.substr(begin + 1, at - begin - 1);
  // Ids may have dots in them, those of surveys and waves as well: the words between them tell where they end.
  const size_t waves = local.find(".waves."), messages = local.find(".messages.");
  constexpr std::string_view kSurveys = "surveys.", kWaves = ".waves.", kMessages = ".messages.";
  if (local.substr(0, kSurveys.size()) != kSurveys || waves == std::string_view::npos || messages == std::string_view::npos ||
      messages < waves + kWaves.size()) {
    return std::nullopt;
  }
  auto reference = ReadReference(local.substr(messages + kMessages.size()));
  if (!reference || reference->message.empty()) return std::nullopt;
  reference->message =
      absl::StrCat("surveys/", View(local.substr(kSurveys.size(), waves - kSurveys.size())), "/waves/",
                   View(local.substr(waves + kWaves.size(), messages - waves - kWaves.size())), "/messages/", reference->message);
  if (!names::Match(reference->message, kMessage)) return std::nullopt;
  return reference;
}

}  // namespace peiling::ctl
