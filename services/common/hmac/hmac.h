// HMAC (RFC 2104) with SHA-256. Thread-safe, without state.
#pragma once

#include <string>
#include <string_view>

namespace peiling::hmac {

// 32 bytes that only who has the key can make of the data.
std::string Sha256(std::string_view key, std::string_view data);

}  // namespace peiling::hmac
