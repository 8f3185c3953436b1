#include "services/gateway/grpc/grpc_wire.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace peiling::gateway {
namespace {

std::optional<std::chrono::nanoseconds> UnitOf(char unit) {
  switch (unit) {
    case 'H':
      return std::chrono::hours(1);
    case 'M':
      return std::chrono::minutes(1);
    case 'S':
      return std::chrono::seconds(1);
    case 'm':
      return std::chrono::milliseconds(1);
    case 'u':
      return std::chrono::microseconds(1);
    case 'n':
      return std::chrono::nanoseconds(1);
    default:
      return std::nullopt;
  }
}

std::string PercentEncoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
      encoded += c;
    } else {
      absl::StrAppend(&encoded, "%", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return encoded;
}

}  // namespace

std::optional<std::chrono::nanoseconds> ParseTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  const std::string_view digits = text.substr(0, text.size() - 1);
  const auto unit = UnitOf(text.back());
  int64_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (!unit || error != std::errc() || end != digits.data() + digits.size() || count < 0) return std::nullopt;
  // Eight digits of hours are more nanoseconds than there is room for; nobody waits a year.
  constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(24 * 365);
  return count > kLongest / *unit ? kLongest : count * *unit;
}

bool IsBinary(std::string_view name) { return name.size() > 4 && name.ends_with("-bin"); }

std::string EncodeBinary(std::string_view bytes) {
  std::string text = absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
  text.resize(std::min(text.size(), text.find('=')));
  return text;
}

std::optional<std::vector<std::string>> DecodeBinary(std::string_view text) {
  std::vector<std::string> values;
  for (const absl::string_view part : absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    if (!absl::Base64Unescape(part, &values.emplace_back())) return std::nullopt;
  }
  return values;
}

Headers TrailersOf(const grpc::Status& status) {
  Headers trailers = {{"grpc-status", absl::StrCat(static_cast<int>(status.error_code()))}};
  if (!status.error_message().empty()) trailers.emplace_back("grpc-message", PercentEncoded(status.error_message()));
  if (!status.error_details().empty()) trailers.emplace_back("grpc-status-details-bin", status.error_details());
  return trailers;
}

}  // namespace peiling::gateway
