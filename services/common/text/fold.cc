#include "services/common/text/fold.h"

#include <utf8proc.h>

#include <array>

namespace peiling::text {
namespace {

// Reads one code point and its length; -1 and 1 for an invalid byte.
utf8proc_int32_t Next(std::string_view text, size_t at, size_t& length) {
  utf8proc_int32_t code = -1;
  const utf8proc_ssize_t read =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at), static_cast<utf8proc_ssize_t>(text.size() - at), &code);
  length = read > 0 ? static_cast<size_t>(read) : 1;
  return read > 0 ? code : -1;
}

bool IsLetterOrDigit(utf8proc_int32_t code) {
  const utf8proc_category_t category = utf8proc_category(code);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO && category != UTF8PROC_CATEGORY_MN &&
         category != UTF8PROC_CATEGORY_MC && category != UTF8PROC_CATEGORY_ME;
}

// The folded text under construction: words with one space between them.
class Words {
 public:
  explicit Words(size_t capacity) { text_.reserve(capacity); }

  void Break() { broken_ = true; }
  void Add(const char* bytes, size_t count) {
    if (broken_ && !text_.empty()) text_.push_back(' ');
    broken_ = false;
    text_.append(bytes, count);
  }
  void AddCode(utf8proc_int32_t code) {
    if (!IsLetterOrDigit(code)) return Break();
    std::array<utf8proc_uint8_t, 4> bytes;
    const utf8proc_ssize_t count = utf8proc_encode_char(code, bytes.data());
    Add(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(count));
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
  bool broken_ = false;
};

void AddAscii(char c, Words& words) {
  if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  kept ? words.Add(&c, 1) : words.Break();
}

void AddUnicode(utf8proc_int32_t code, Words& words) {
  // The longest decomposition in Unicode has 18 code points.
  std::array<utf8proc_int32_t, 32> parts;
  int boundary_class = 0;
  constexpr auto kOptions =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
  const utf8proc_ssize_t count = utf8proc_decompose_char(code, parts.data(), parts.size(), kOptions, &boundary_class);
  if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) return words.Break();
  for (utf8proc_ssize_t i = 0; i < count; ++i) words.AddCode(parts[static_cast<size_t>(i)]);
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  for (size_t at = 0, length = 0; at < text.size(); at += length) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      length = 1;
    } else if (Next(text, at, length) < 0) {
      return false;
    }
  }
  return true;
}

std::string Fold(std::string_view text) {
  Words words(text.size());
  for (size_t at = 0, length = 0; at < text.size(); at += length) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      length = 1;
      AddAscii(text[at], words);
      continue;
    }
    const utf8proc_int32_t code = Next(text, at, length);
    code < 0 ? words.Break() : AddUnicode(code, words);
  }
  return words.Take();
}

std::string Shorten(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return std::string(text.substr(0, bytes)) + "…";
}

int DisplayWidth(std::string_view text) {
  int width = 0;
  for (size_t at = 0, length = 0; at < text.size(); at += length) {
    const utf8proc_int32_t code = Next(text, at, length);
    width += code < 0 ? 1 : utf8proc_charwidth(code);
  }
  return width;
}

}  // namespace peiling::text
