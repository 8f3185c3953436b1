#include "services/registry/spelling.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "services/common/text/fold.h"

namespace peiling::registry {
namespace {

// Words in the longest phrase.
constexpr size_t kMaxPhrase = 3;

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The slash of "a/d": between an "a" that is a word and a "d".
bool IsWithinAanDe(std::string_view text, size_t slash) {
  const auto is = [&](size_t at, char lower) { return (text[at] | 0x20) == lower; };
  return slash >= 1 && slash + 1 < text.size() && is(slash - 1, 'a') && (slash == 1 || !IsAsciiLetter(text[slash - 2])) &&
         (is(slash + 1, 'd') || is(slash + 1, 'h'));
}

// "en" as a word of its own.
bool IsWordEn(std::string_view text, size_t at) {
  const auto ends_word = [&](size_t i) {
    return i >= text.size() || (static_cast<unsigned char>(text[i]) < 0x80 && !IsAsciiLetter(text[i]));
  };
  return at + 1 < text.size() && (text[at + 1] | 0x20) == 'n' && (at == 0 || ends_word(at - 1)) && ends_word(at + 2);
}

struct Cut {
  Separator separator = Separator::kSpace;
  // Bytes of the text; 0: no cut here.
  size_t length = 0;
};

// Dashes count between spaces alone: "Olst - Wijhe" may be two, "Olst-Wijhe" is one.
Cut DashAt(std::string_view text, size_t at) {
  for (std::string_view dash : {" - ", " -- ", " \u2013 ", " \u2014 "}) {
    if (text.substr(at).starts_with(dash)) return {Separator::kDash, dash.size()};
  }
  return {};
}

Cut CutAt(std::string_view text, size_t at) {
  switch (text[at]) {
    case ',':
    case ';':
    case '\n':
      return {Separator::kComma, 1};
    case '/':
    case '|':
    case '\\':
      return IsWithinAanDe(text, at) ? Cut{} : Cut{Separator::kSlash, 1};
    case '&':
    case '+':
      return {Separator::kAnd, 1};
    case '(':
    case ')':
    case '[':
    case ']':
      return {Separator::kParenthesis, 1};
    case ' ':
      return DashAt(text, at);
    case 'e':
    case 'E':
      return IsWordEn(text, at) ? Cut{Separator::kAnd, 2} : Cut{};
    default:
      return {};
  }
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpaces);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

// Calls `take` with each word of a folded text.
template <typename Take>
void ForEachWord(std::string_view folded, const Take& take) {
  for (size_t begin = 0; begin < folded.size();) {
    const size_t end = std::min(folded.find(' ', begin), folded.size());
    take(folded.substr(begin, end - begin));
    begin = end + 1;
  }
}

// The piece of the text as a part, if there is a word in it.
void AddPart(std::string_view text, size_t begin, size_t end, Separator before, std::vector<Part>& parts) {
  const std::string_view piece = Trim(text.substr(begin, end - begin));
  const std::string folded = text::Fold(piece);
  if (folded.empty()) return;
  Part& part = parts.emplace_back();
  part.begin = static_cast<size_t>(piece.data() - text.data());
  part.end = part.begin + piece.size();
  ForEachWord(folded, [&](std::string_view word) { part.words.push_back({.text = std::string(word)}); });
  part.words.front().before = before;
}

}  // namespace

std::vector<Part> CutIntoParts(std::string_view text) {
  std::vector<Part> parts;
  Separator before = Separator::kSpace;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Cut cut = CutAt(text, at);
    if (cut.length == 0) {
      ++at;
      continue;
    }
    // Of separators with nothing between, the last says most: ", en".
    AddPart(text, begin, at, before, parts);
    before = cut.separator;
    at += cut.length;
    begin = at;
  }
  AddPart(text, begin, text.size(), before, parts);
  return parts;
}

std::string Join(std::span<const Word> words) {
  std::string joined;
  for (const Word& word : words) joined += word.text;
  return joined;
}

Spelling::Spelling(const std::vector<TypingForm>& forms) {
  for (const TypingForm& form : forms) {
    phrases_[static_cast<size_t>(form.role)].emplace(absl::StrJoin(form.written, " "), form.means);
    if (form.role == TypingForm::Role::kSame) same_begins_.insert(form.written.front());
  }
}

std::vector<Word> Spelling::Canonical(std::span<const Word> words) const {
  std::vector<Word> canonical;
  canonical.reserve(words.size());
  for (size_t at = 0; at < words.size();) {
    const Match match = same_begins_.contains(words[at].text) ? Longest(TypingForm::Role::kSame, words.subspan(at)) : Match{};
    if (match.length == 0) {
      canonical.push_back(words[at++]);
      continue;
    }
    canonical.push_back({.text = *match.means, .before = words[at].before});
    at += match.length;
  }
  return canonical;
}

std::span<const Word> Spelling::WithoutNoise(std::span<const Word> words) const {
  using Role = TypingForm::Role;
  while (!words.empty() && Is(Role::kNoise, words.back())) words = words.first(words.size() - 1);
  // "de gemeente", "gemeente van"
  if (words.size() > 1 && Is(Role::kArticle, words[0]) && Is(Role::kNoise, words[1])) words = words.subspan(1);
  while (!words.empty() && Is(Role::kNoise, words.front())) {
    words = words.subspan(1);
    if (!words.empty() && Is(Role::kLink, words.front())) words = words.subspan(1);
  }
  return words;
}

std::span<const Word> Spelling::WithoutArticle(std::span<const Word> words) const {
  return words.size() > 1 && Is(TypingForm::Role::kArticle, words.front()) ? words.subspan(1) : words;
}

Spelling::Located Spelling::Locate(std::span<const Word> words) const {
  // "noord brabant" before "brabant".
  for (size_t length = std::min(kMaxPhrase, words.size() - std::min<size_t>(words.size(), 1)); length > 0; --length) {
    const std::string province = Province(words.last(length));
    if (province.empty()) continue;
    std::span<const Word> name = words.first(words.size() - length);
    if (name.size() > 1 && Is(TypingForm::Role::kProvinceWord, name.back())) name = name.first(name.size() - 1);
    return {.name = name, .province = province};
  }
  return {.name = words, .province = ""};
}

bool Spelling::NamesAnother(std::span<const Word> words) const {
  for (size_t at = 0; at < words.size(); ++at) {
    if (Is(TypingForm::Role::kProvinceWord, words[at])) return true;
    if (Longest(TypingForm::Role::kWhole, words.subspan(at)).length > 0) return true;
  }
  return false;
}

std::string Spelling::Province(std::span<const Word> words) const {
  const Match match = Longest(TypingForm::Role::kProvince, words);
  return match.length > 0 && match.length == words.size() ? *match.means : "";
}

Spelling::Match Spelling::Longest(TypingForm::Role role, std::span<const Word> words) const {
  const Phrases& phrases = phrases_[static_cast<size_t>(role)];
  Match longest;
  std::string phrase;
  for (size_t length = 1; length <= std::min(kMaxPhrase, words.size()); ++length) {
    if (length > 1) phrase += ' ';
    phrase += words[length - 1].text;
    const auto found = phrases.find(phrase);
    if (found != phrases.end()) longest = {.length = length, .means = &found->second};
  }
  return longest;
}

bool Spelling::Is(TypingForm::Role role, const Word& word) const { return phrases_[static_cast<size_t>(role)].contains(word.text); }

}  // namespace peiling::registry
