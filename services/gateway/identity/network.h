// Which addresses are one client's.
#pragma once

#include <string>

namespace peiling::gateway {

// What strangers are told apart by: an address of IPv4 ("192.0.2.1", also when it is written as IPv6 has it), of IPv6 the network of 64
// bits that one client may choose addresses from ("2001:db8::/64"). What is no address stays as it is.
std::string NetworkOf(const std::string& address);

}  // namespace peiling::gateway
