#include "services/gateway/http/http_message.h"

#include <algorithm>

namespace peiling::gateway {

std::string HttpRequest::Header(std::string_view name) const {
  std::string value;
  for (const auto& [key, one] : headers) {
    if (key != name) continue;
    if (!value.empty()) value += ", ";
    value += one;
  }
  return value;
}

bool HttpRequest::HasHeader(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; });
}

}  // namespace peiling::gateway
