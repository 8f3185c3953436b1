// Text as people type it, made comparable. Unicode by utf8proc. All functions are thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace peiling::text {

bool IsValidUtf8(std::string_view text);

// Case-folded, without diacritics, every run of spaces and punctuation one space, none at the ends: "Súdwest-Fryslân " → "sudwest fryslan".
// Letters and digits are kept, invisible characters (soft hyphen, zero-width space) vanish, everything else counts as punctuation; so do
// invalid bytes. Folding a folded text changes nothing.
std::string Fold(std::string_view text);

// The text when it has at most `bytes` bytes, else as many of its first ones as end between characters, and "…".
std::string Shorten(std::string_view text, size_t bytes);

// Number of terminal columns the text takes; an invalid byte takes one.
int DisplayWidth(std::string_view text);

}  // namespace peiling::text
