// Text as people type it, made comparable. Unicode by utf8proc.
#pragma once

#include <string>
#include <string_view>

namespace peiling::text {

bool IsValidUtf8(std::string_view text);

// Case-folded, without diacritics, every run of spaces and punctuation one space, none at the ends: "Súdwest-Fryslân " → "sudwest fryslan".
// Invalid bytes count as punctuation.
std::string Fold(std::string_view text);

// Number of terminal columns the text takes.
int DisplayWidth(std::string_view text);

}  // namespace peiling::text
