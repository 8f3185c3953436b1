#include "services/fieldwork/mail/delivery_event.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/names/resource_names.h"
#include "services/common/text/characters.h"
#include "services/fieldwork/mail/message_life.h"

namespace peiling::fieldwork {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMaxProvider = 50;
constexpr size_t kMaxEventId = 200;
constexpr size_t kMaxDiagnostic = 1000;

bool IsProvider(std::string_view text) {
  return !text.empty() && text.size() <= kMaxProvider &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; });
}

// "5.1.1": a class of 2, 4 or 5, then two numbers of up to three digits.
bool IsEnhancedCode(std::string_view text) {
  if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.') return false;
  const size_t dot = text.find('.', 2);
  const auto is_number = [](std::string_view digits) {
    return !digits.empty() && digits.size() <= 3 && std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  };
  return dot != std::string_view::npos && is_number(text.substr(2, dot - 2)) && is_number(text.substr(dot + 1));
}

bool IsTime(const google::protobuf::Timestamp& time) {
  return time.seconds() >= TimeUtil::kTimestampMinSeconds && time.seconds() <= TimeUtil::kTimestampMaxSeconds && time.nanos() >= 0 &&
         time.nanos() < 1'000'000'000;
}

template <typename Report>
std::string ProblemOfCodes(const Report& report) {
  if (report.smtp_code() != 0 && (report.smtp_code() < 200 || report.smtp_code() > 599)) {
    return absl::StrCat("smtp_code: ", report.smtp_code(), ", want 200 to 599, or 0");
  }
  if (!report.enhanced_code().empty() && !IsEnhancedCode(report.enhanced_code())) return "enhanced_code: want such as \"5.1.1\"";
  if (text::Characters(report.diagnostic()) > kMaxDiagnostic)
    return absl::StrCat("diagnostic: want at most ", kMaxDiagnostic, " characters");
  return "";
}

// Characters of an address on either side of its '@', those of other scripts included.
bool IsLocal(char c) {
  static constexpr std::string_view kOthers = "!#$%&'*+-/=?^_`{|}~.";
  return absl::ascii_isalnum(c) || static_cast<unsigned char>(c) >= 0x80 || kOthers.find(c) != std::string_view::npos;
}
bool IsDomain(char c) {
  static constexpr std::string_view kOthers = "-._[]:";
  return absl::ascii_isalnum(c) || static_cast<unsigned char>(c) >= 0x80 || kOthers.find(c) != std::string_view::npos;
}

// Where the local part that ends before `at` begins: a quoted one at its first quote.
size_t BeginOfLocal(std::string_view text, size_t at) {
  if (at > 0 && text[at - 1] == '"') {
    const size_t quote = at < 2 ? std::string_view::npos : text.rfind('"', at - 2);
    return quote == std::string_view::npos ? at : quote;
  }
  size_t begin = at;
  while (begin > 0 && IsLocal(text[begin - 1])) --begin;
  return begin;
}

}  // namespace

std::string ProblemOf(const v1::DeliveryEvent& event, const std::string& wave) {
  if (!names::Match(event.message(), "surveys/*/waves/*/messages/*") || names::WaveOf(event.message()) != wave) {
    return absl::StrCat("message: want a message of ", wave);
  }
  if (!IsProvider(event.provider())) return absl::StrCat("provider: want 1 to ", kMaxProvider, " letters, digits, '-', '_' or '.'");
  if (event.provider() == kCompletion || event.provider() == kSettling) return "provider: that is what this service itself is called";
  if (event.event_id().empty() || text::Characters(event.event_id()) > kMaxEventId) {
    return absl::StrCat("event_id: want 1 to ", kMaxEventId, " characters");
  }
  if (event.kind() == v1::DELIVERY_EVENT_KIND_UNSPECIFIED || !v1::DeliveryEventKind_IsValid(event.kind())) return "kind: want one";
  if (!event.has_time() || !IsTime(event.time())) return "time: want when it happened";
  return ProblemOfCodes(event);
}

std::string ProblemOf(const v1::MailOutcome& outcome) {
  if (text::Characters(outcome.provider_message_id()) > kMaxEventId) {
    return absl::StrCat("provider_message_id: want at most ", kMaxEventId, " characters");
  }
  if (outcome.sent() && outcome.permanent()) return "permanent: what was sent was not refused";
  if (outcome.not_tried() && (outcome.sent() || outcome.permanent())) return "not_tried: what was not tried was neither sent nor refused";
  return ProblemOfCodes(outcome);
}

std::string WithoutAddresses(std::string_view text) {
  std::string result;
  size_t kept = 0;
  for (size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', std::max(at + 1, kept))) {
    const size_t begin = std::max(BeginOfLocal(text, at), kept);
    size_t end = at + 1;
    while (end < text.size() && IsDomain(text[end])) ++end;
    // An '@' that stands by itself is no address.
    if (begin == at || end == at + 1) continue;
    result.append(text.substr(kept, begin - kept)).append("<address>");
    kept = end;
  }
  return result.append(text.substr(kept));
}

v1::SuppressionReason SuppressionAfter(v1::DeliveryEventKind kind) {
  switch (kind) {
    case v1::DELIVERY_EVENT_KIND_HARD_BOUNCE:
      return v1::SUPPRESSION_REASON_HARD_BOUNCE;
    case v1::DELIVERY_EVENT_KIND_COMPLAINT:
      return v1::SUPPRESSION_REASON_COMPLAINT;
    case v1::DELIVERY_EVENT_KIND_UNSUBSCRIBED:
      return v1::SUPPRESSION_REASON_UNSUBSCRIBED;
    default:
      return v1::SUPPRESSION_REASON_UNSPECIFIED;
  }
}

bool BlamesAddress(const v1::MailOutcome& outcome) {
  if (const std::string_view code = outcome.enhanced_code(); !code.empty()) {
    return (code.substr(0, 4) == "5.1." && code != "5.1.7" && code != "5.1.8" && code != "5.1.9") || code == "5.2.1";
  }
  const int code = outcome.smtp_code();
  return code == 550 || code == 551 || code == 553;
}

}  // namespace peiling::fieldwork
