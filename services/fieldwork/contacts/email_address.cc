#include "services/fieldwork/contacts/email_address.h"

#include <idn2.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace peiling::fieldwork {
namespace {

// RFC 5321, 4.5.3.1.
constexpr size_t kMaxLocal = 64;
constexpr size_t kMaxAddress = 254;

bool IsAtext(char c) { return absl::ascii_isalnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos; }

bool IsDotAtom(std::string_view local) {
  if (local.empty() || local.size() > kMaxLocal || local.front() == '.' || local.back() == '.') return false;
  if (local.find("..") != std::string_view::npos) return false;
  return std::all_of(local.begin(), local.end(), [](char c) { return c == '.' || IsAtext(c); });
}

bool IsHostLabel(absl::string_view label) {
  if (label.empty() || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

// libidn2 sees to lengths and to what labels in other scripts may hold, but lets through any ASCII.
bool IsHostName(const std::string& domain) {
  const std::vector<absl::string_view> labels = absl::StrSplit(domain, '.');
  if (labels.size() < 2 || !std::all_of(labels.begin(), labels.end(), IsHostLabel)) return false;
  return !std::all_of(labels.back().begin(), labels.back().end(), absl::ascii_isdigit);
}

std::optional<std::string> AsciiDomain(const std::string& domain) {
  uint8_t* ascii = nullptr;
  const int made = idn2_lookup_u8(reinterpret_cast<const uint8_t*>(domain.c_str()), &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<uint8_t, decltype(&idn2_free)> owned(ascii, &idn2_free);
  if (made != IDN2_OK) return std::nullopt;
  std::string text = absl::AsciiStrToLower(reinterpret_cast<const char*>(ascii));
  if (!IsHostName(text)) return std::nullopt;
  return text;
}

}  // namespace

std::optional<std::string> CanonicalAddress(std::string_view address) {
  const size_t at = address.find('@');
  if (at == std::string_view::npos || address.size() > 4 * kMaxAddress) return std::nullopt;
  const std::string_view local = address.substr(0, at);
  const std::string domain(address.substr(at + 1));
  if (!IsDotAtom(local) || domain.find('\0') != std::string::npos) return std::nullopt;
  const std::optional<std::string> ascii = AsciiDomain(domain);
  if (!ascii.has_value()) return std::nullopt;
  std::string canonical = absl::StrCat(absl::AsciiStrToLower(absl::string_view(local.data(), local.size())), "@", *ascii);
  if (canonical.size() > kMaxAddress) return std::nullopt;
  return canonical;
}

}  // namespace peiling::fieldwork
