// How long a text is to people.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace peiling::text {

// UTF-8 characters, as bounds in contracts count them: bytes that go on with a character begin with 10.
inline size_t Characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace peiling::text
