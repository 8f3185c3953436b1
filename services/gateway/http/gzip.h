// Compression of answers.
#pragma once

#include <string>
#include <string_view>

namespace peiling::gateway {

// The bytes in gzip's format (RFC 1952), at the least effort: most of what can be saved is.
std::string Gzip(std::string_view bytes);

}  // namespace peiling::gateway
