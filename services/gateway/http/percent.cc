#include "services/gateway/http/percent.h"

#include <charconv>

namespace peiling::gateway {

bool PercentDecode(std::string_view encoded, bool form, std::string& decoded) {
  decoded.clear();
  decoded.reserve(encoded.size());
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      decoded.push_back(form && encoded[i] == '+' ? ' ' : encoded[i]);
      continue;
    }
    const std::string_view digits = encoded.substr(i + 1, 2);
    unsigned char byte = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (error != std::errc() || end != digits.data() + 2) return false;
    decoded.push_back(static_cast<char>(byte));
    i += 2;
  }
  return true;
}

}  // namespace peiling::gateway
