#include "services/ctl/client/delivery_report.h"

#include <mimetic/mimetic.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"
#include "services/ctl/client/mail_text.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/client/smtp.h"
#include "services/ctl/output/terminal.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::DeliveryEvent;
using fieldwork::v1::DeliveryEventKind;

constexpr char kProvider[] = "dsn";
// Parts in parts, at most: each is a call deeper when it is read.
constexpr size_t kMaxParts = 200;
constexpr size_t kMaxReceivers = 100;
// Bytes.
constexpr size_t kMaxDiagnostic = 990;

absl::Status Unusable(const char* reason, std::string_view why) {
  return status::Error(absl::StatusCode::kInvalidArgument, reason, std::string(why));
}

size_t Times(const std::string& text, std::string_view word) {
  size_t times = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + word.size())) ++times;
  return times;
}

// The head of a text. Entities themselves must not be copied: the copies would share their parts.
mimetic::Header HeaderOf(const std::string& text) { return mimetic::MimeEntity(text.begin(), text.end()).header(); }

// All values of a header field, from the first to the last.
std::vector<std::string> Values(const mimetic::Header& header, std::string_view name) {
  std::vector<std::string> values;
  for (const mimetic::Field& field : header) {
    if (absl::EqualsIgnoreCase(absl::string_view(field.name().data(), field.name().size()), absl::string_view(name.data(), name.size()))) {
      values.push_back(field.value());
    }
  }
  return values;
}

std::string Value(const mimetic::Header& header, std::string_view name) {
  const std::vector<std::string> values = Values(header, name);
  return values.empty() ? "" : std::string(absl::StripAsciiWhitespace(values[0]));
}

// "message/delivery-status", in lower case.
std::string TypeOf(const mimetic::MimeEntity& part) {
  const mimetic::ContentType& type = part.header().contentType();
  return absl::AsciiStrToLower(absl::StrCat(type.type().c_str(), "/", type.subtype().c_str()));
}

// A part's text, however it was wrapped up.
std::string TextOf(const mimetic::MimeEntity& part) {
  const std::string& body = part.body();
  const std::string how = absl::AsciiStrToLower(part.header().contentTransferEncoding().mechanism().c_str());
  std::string text;
  if (how == "base64") {
    mimetic::Base64::Decoder decoder;
    mimetic::decode(body.begin(), body.end(), decoder, std::back_inserter(text));
  } else if (how == "quoted-printable") {
    mimetic::QP::Decoder decoder;
    mimetic::decode(body.begin(), body.end(), decoder, std::back_inserter(text));
  } else {
    text = body;
  }
  return absl::StrReplaceAll(text, {{"\r\n", "\n"}});
}

// What a report is made of.
struct Parts {
  // What it says to people; empty when it says nothing.
  std::string words;
  // Of the part for programs: about the mail, then about each receiver.
  std::vector<mimetic::Header> groups;
  // The head of what came back.
  mimetic::Header returned;
};

Parts PartsOf(const mimetic::MimeEntity& mail) {
  Parts parts;
  for (const mimetic::MimeEntity* part : mail.body().parts()) {
    const std::string type = TypeOf(*part);
    if (type == "message/delivery-status" || type == "message/global-delivery-status") {
      for (const auto& group : absl::StrSplit(TextOf(*part), "\n\n", absl::SkipWhitespace())) {
        if (parts.groups.size() > kMaxReceivers) break;
        parts.groups.push_back(HeaderOf(absl::StrCat(absl::StripLeadingAsciiWhitespace(group), "\n\n")));
      }
    } else if (type == "text/plain" && parts.words.empty()) {
      parts.words = TextOf(*part);
    } else if (type == "text/rfc822-headers" || type == "message/global-headers") {
      parts.returned = HeaderOf(TextOf(*part));
    } else if ((type == "message/rfc822" || type == "message/global") && !part->body().parts().empty()) {
      parts.returned = part->body().parts().front()->header();
    }
  }
  return parts;
}

// What stands between '<' and '>', or all of it.
std::string_view Bare(std::string_view address) {
  const size_t begin = address.rfind('<'), end = address.rfind('>');
  return begin != std::string_view::npos && end != std::string_view::npos && begin < end ? address.substr(begin + 1, end - begin - 1)
                                                                                         : address;
}

// By the address the report came to.
std::optional<MailReference> ByAddress(const mimetic::Header& header, const mimetic::Header& returned) {
  const auto read = [](const mimetic::Header& from, const char* name) -> std::optional<MailReference> {
    for (const std::string& value : Values(from, name)) {
      if (auto reference = ReadBounceAddress(Bare(value)); reference && !reference->return_token.empty()) return reference;
    }
    return std::nullopt;
  };
  for (const char* name : {"Envelope-To", "Delivered-To", "X-Original-To", "To"}) {
    if (auto reference = read(header, name)) return reference;
  }
  return read(returned, "Return-Path");
}

// By our headers in what came back.
MailReference ByHeaders(const mimetic::Header& returned) {
  MailReference reference = ReadMessageId(Value(returned, "Message-ID")).value_or(MailReference());
  if (reference.message.empty()) reference.message = Value(returned, "X-Peiling-Message");
  return reference;
}

// Which message a report is about.
absl::StatusOr<MailReference> ReferenceOf(const mimetic::Header& header, const mimetic::Header& returned, const ReportOptions& options) {
  const std::optional<MailReference> by_address = ByAddress(header, returned);
  const MailReference by_headers = ByHeaders(returned);
  MailReference reference = by_address.value_or(by_headers);
  // A server on the way may have written the address in small letters.
  if (by_address && (by_address->message.empty() || absl::EqualsIgnoreCase(by_address->message, names::LastId(by_headers.message)))) {
    reference.message = by_headers.message;
  } else if (by_address) {
    reference.message = absl::StrCat(options.wave, "/messages/", by_address->message);
  }
  if (!names::Match(reference.message, "surveys/*/waves/*/messages/*")) {
    return Unusable("REPORT_OF_NOTHING", "it says nothing of a mail of this suite");
  }
  if (const std::string wave = names::WaveOf(reference.message); wave != options.wave) {
    return Unusable("REPORT_OF_OTHER_WAVE", absl::StrCat("it is about a mail of ", wave));
  }
  if (reference.return_token.empty() && !options.without_token) {
    return Unusable("REPORT_UNPROVEN", "nothing in it proves which mail it is about (--without-token believes it all the same)");
  }
  return reference;
}

// "Sun, 22 Nov 2026 12:45:00 +0100 (CET)".
std::optional<absl::Time> TimeOf(std::string text) {
  text = std::string(absl::StripAsciiWhitespace(absl::string_view(text).substr(0, text.find('('))));
  absl::Time time;
  for (const char* format : {"%a, %d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M:%S %z"}) {
    if (absl::ParseTime(format, text, &time, nullptr)) return time;
  }
  return std::nullopt;
}

// "smtp; 550 5.1.1 no such user" as 550 and what follows.
void ReadDiagnostic(const std::string& field, DeliveryEvent& event) {
  const size_t semicolon = field.find(';');
  std::string said(absl::StripAsciiWhitespace(absl::string_view(field).substr(semicolon == std::string::npos ? 0 : semicolon + 1)));
  int code = 0;
  const bool smtp = absl::StartsWithIgnoreCase(field, "smtp") && said.size() >= 3 && absl::SimpleAtoi(said.substr(0, 3), &code);
  if (smtp && code >= 200 && code <= 599) {
    event.set_smtp_code(code);
    said = said.size() > 4 ? said.substr(4) : "";
  }
  event.set_diagnostic(text::Shorten(Printable(said), kMaxDiagnostic));
}

// Of servers that give no code for it.
bool SaysUnknown(const std::string& words) {
  const std::string lower = absl::AsciiStrToLower(words);
  return absl::StrContains(lower, "unrouteable address") || absl::StrContains(lower, "user unknown") ||
         absl::StrContains(lower, "unknown user") || absl::StrContains(lower, "no such user");
}

bool BlamesAddress(const DeliveryEvent& event, const Parts& parts) {
  const std::string& code = event.enhanced_code();
  const int smtp_code = event.smtp_code();
  const bool no_reason = code.empty() || absl::EndsWith(code, ".0.0");
  if (no_reason && smtp_code == 0) return SaysUnknown(event.diagnostic()) || SaysUnknown(parts.words);
  if (no_reason) return smtp_code == 550 || smtp_code == 551 || smtp_code == 553;
  if (code == "5.1.7" || code == "5.1.8" || code == "5.1.9") return false;
  return absl::StartsWith(code, "5.1.") || code == "5.2.1";
}

// "rfc822;j.jansen@example.nl", "\"J. Jansen\" <j.jansen@example.nl>".
std::string AddressIn(const std::string& field) {
  const std::string_view address = Bare(std::string_view(field).substr(field.find(';') + 1));
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(absl::string_view(address.data(), address.size())));
}

// Whether it happened to a copy that the address our mail was sent to had forwarded. Servers name where the copy went to by the receiver's
// fields; Exim has our address there, and the other one in a header of its own.
bool WasForwarded(const mimetic::Header& group, const mimetic::Header& header, const Parts& parts) {
  const std::string ours = AddressIn(Value(parts.returned, "To"));
  const auto is_another = [&ours](const std::vector<std::string>& addresses) {
    const auto is_ours = [&ours](const std::string& address) { return AddressIn(address) == ours; };
    return !addresses.empty() && std::none_of(addresses.begin(), addresses.end(), is_ours);
  };
  std::vector<std::string> named = Values(group, "Original-Recipient");
  for (const std::string& address : Values(group, "Final-Recipient")) named.push_back(address);
  const std::vector<std::string> failed = absl::StrSplit(Value(header, "X-Failed-Recipients"), ',', absl::SkipWhitespace());
  return !ours.empty() && (is_another(named) || is_another(failed));
}

// UNSPECIFIED for what is not known.
DeliveryEventKind KindOf(std::string_view action, const DeliveryEvent& event, bool forwarded, const Parts& parts) {
  if (action == "delivered") return fieldwork::v1::DELIVERY_EVENT_KIND_DELIVERED;
  if (action == "relayed" || action == "expanded") return fieldwork::v1::DELIVERY_EVENT_KIND_ACCEPTED;
  if (action == "delayed") return fieldwork::v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE;
  if (action != "failed") return fieldwork::v1::DELIVERY_EVENT_KIND_UNSPECIFIED;
  if (forwarded) return fieldwork::v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE;
  const bool for_good = absl::StartsWith(event.enhanced_code(), "5") || event.enhanced_code().empty();
  return for_good && BlamesAddress(event, parts) ? fieldwork::v1::DELIVERY_EVENT_KIND_HARD_BOUNCE
                                                 : fieldwork::v1::DELIVERY_EVENT_KIND_REJECTED;
}

// What a group says; nullopt when it is not about a receiver.
std::optional<DeliveryEvent> EventOf(const mimetic::Header& group, const mimetic::Header& header, const Parts& parts) {
  DeliveryEvent event;
  const std::string action = absl::AsciiStrToLower(Value(group, "Action"));
  event.set_enhanced_code(EnhancedCode(Value(group, "Status")));
  ReadDiagnostic(Value(group, "Diagnostic-Code"), event);
  // Servers say "5.0.0" of what they heard more about.
  if (const std::string heard = EnhancedCode(event.diagnostic()); !heard.empty() && absl::EndsWith(event.enhanced_code(), ".0.0")) {
    event.set_enhanced_code(heard);
  }
  event.set_kind(KindOf(action, event, WasForwarded(group, header, parts), parts));
  if (event.kind() == fieldwork::v1::DELIVERY_EVENT_KIND_UNSPECIFIED) return std::nullopt;
  return event;
}

absl::StatusOr<std::vector<DeliveryEvent>> Read(const std::string& text, const ReportOptions& options, absl::Time now) {
  const mimetic::MimeEntity mail(text.begin(), text.end());
  const Parts parts = PartsOf(mail);
  if (parts.groups.empty()) return Unusable("REPORT_NONE", "it is no report of a mail server");
  const auto reference = ReferenceOf(mail.header(), parts.returned, options);
  if (!reference.ok()) return reference.status();
  const std::string id = Value(mail.header(), "Message-ID");
  const absl::Time sent = TimeOf(Value(mail.header(), "Date")).value_or(now);
  std::vector<DeliveryEvent> events;
  for (const mimetic::Header& group : parts.groups) {
    std::optional<DeliveryEvent> event = EventOf(group, mail.header(), parts);
    if (!event) continue;
    const std::string receiver = absl::AsciiStrToLower(Value(group, "Final-Recipient"));
    event->set_message(reference->message);
    event->set_return_token(reference->return_token);
    event->set_provider(kProvider);
    event->set_event_id(DerivedRequestId({id.empty() ? text : id, receiver, Value(group, "Action")}));
    *event->mutable_time() = calendar::ToProto(std::min(now, TimeOf(Value(group, "Last-Attempt-Date")).value_or(sent)));
    events.push_back(*std::move(event));
  }
  if (events.empty()) return Unusable("REPORT_UNREADABLE", "it does not say what became of the mail");
  return events;
}

}  // namespace

absl::StatusOr<std::vector<DeliveryEvent>> ReadDeliveryReport(std::string_view mail, const ReportOptions& options, absl::Time now) {
  if (mail.size() > kMaxReportBytes) return Unusable("REPORT_TOO_LARGE", "it is larger than 1 MiB");
  const std::string text(mail);
  const std::string lower = absl::AsciiStrToLower(text);
  if (Times(lower, "multipart") + Times(lower, "message/") > kMaxParts) return Unusable("REPORT_UNREADABLE", "it has too many parts");
  // The library's own errors and those of memory: a mail comes from anybody.
  try {
    return Read(text, options, now);
  } catch (const std::exception& error) {
    return Unusable("REPORT_UNREADABLE", absl::StrCat("it cannot be read: ", error.what()));
  }
}

}  // namespace peiling::ctl
