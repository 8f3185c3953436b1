// E-mail addresses. All functions are thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace peiling::fieldwork {

// The form in which equal addresses are equal: in lower case, the domain in its ASCII form (IDNA 2008, by libidn2). nullopt when it is no
// address mail can go to: something of at most 64 characters of RFC 5322's dot-atom, one '@', and a domain of two labels or more; at most
// 254 bytes in all. Quoted names before the '@', names in other scripts there (SMTPUTF8) and addresses of machines ("[192.0.2.1]") are
// none: no municipality has them, and mailing systems refuse them.
std::optional<std::string> CanonicalAddress(std::string_view address);

}  // namespace peiling::fieldwork
