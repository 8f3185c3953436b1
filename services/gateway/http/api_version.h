// The version of the HTTP interface: semantic, of all contracts together; what each has is in protos/CHANGELOG.md.
#pragma once

#include <string_view>

namespace peiling::gateway {

// In the header API-Version of every response, and in the OpenAPI document.
inline constexpr std::string_view kApiVersion = "1.1.0";

}  // namespace peiling::gateway
