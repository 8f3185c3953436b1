#include "services/gateway/identity/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace peiling::gateway {

std::string NetworkOf(const std::string& address) {
  in6_addr parsed{};
  if (inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&parsed)) return inet_ntop(AF_INET, &parsed.s6_addr[12], text.data(), text.size());
  std::fill(std::begin(parsed.s6_addr) + 8, std::end(parsed.s6_addr), 0);
  return absl::StrCat(inet_ntop(AF_INET6, &parsed, text.data(), text.size()), "/64");
}

}  // namespace peiling::gateway
