// How names of municipalities are typed: words and what separates them, and what of it makes a difference. Immutable after it is made, so
// thread-safe.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "services/registry/reference_data.h"

namespace peiling::registry {

// What stands before a word.
enum class Separator { kSpace, kComma, kSlash, kAnd, kDash, kParenthesis };

// A folded word (common/text).
struct Word {
  std::string text;
  Separator before = Separator::kSpace;
};

// What a text has between two separators; "Aalsmeer/Amstelveen" has two parts. Never without words.
struct Part {
  std::vector<Word> words;
  // Its bytes in the text.
  size_t begin = 0;
  size_t end = 0;
};

// Cuts a text at commas, semicolons, slashes, bars, line ends, "&", "+", "en", dashes between spaces, and parentheses; "a/d" is not cut.
std::vector<Part> CutIntoParts(std::string_view text);

// The words written together: what is looked up. "alphen ad rijn" → "alphenadrijn".
std::string Join(std::span<const Word> words);

class Spelling {
 public:
  explicit Spelling(const std::vector<TypingForm>& forms);

  // Words in the form that names are compared in: "alphen a d rijn" → "alphen ad rijn", without "en".
  std::vector<Word> Canonical(std::span<const Word> words) const;

  // Without what says that it is a municipality, before and after: "de gemeente Utrecht", "Krimpenerwaard (gemeente)".
  std::span<const Word> WithoutNoise(std::span<const Word> words) const;

  // Without "de" or "het" before it; the same when there is none.
  std::span<const Word> WithoutArticle(std::span<const Word> words) const;

  // A name and the province behind it: "hengelo ov". `province` is empty when there is none.
  struct Located {
    std::span<const Word> name;
    std::string province;
  };
  Located Locate(std::span<const Word> words) const;

  // Whether a word makes the whole something else than a municipality: "regio".
  bool NamesAnother(std::span<const Word> words) const;

  // The province that the words are and nothing else, "" when none.
  std::string Province(std::span<const Word> words) const;

 private:
  // Words joined by spaces → meaning.
  using Phrases = absl::flat_hash_map<std::string, std::string>;
  // The longest phrase at the beginning of some words; length 0: none.
  struct Match {
    size_t length = 0;
    const std::string* means = nullptr;
  };

  Match Longest(TypingForm::Role role, std::span<const Word> words) const;
  bool Is(TypingForm::Role role, const Word& word) const;

  // By role.
  std::array<Phrases, TypingForm::kRoles> phrases_;
  // First words of phrases that mean the same as others, so that most words are looked up once.
  absl::flat_hash_set<std::string> same_begins_;
};

}  // namespace peiling::registry
