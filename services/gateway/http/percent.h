// Percent-encoding of URIs (RFC 3986, 2.1).
#pragma once

#include <string>
#include <string_view>

namespace peiling::gateway {

// Decodes into `decoded`; false for a '%' without two hexadecimal digits. With `form`, '+' is a space (application/x-www-form-urlencoded).
bool PercentDecode(std::string_view encoded, bool form, std::string& decoded);

}  // namespace peiling::gateway
