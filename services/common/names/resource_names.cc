#include "services/common/names/resource_names.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/text/fold.h"

namespace peiling::names {
namespace {

constexpr size_t kMaxIdLength = 100;
// How much of a wrong name an error repeats.
constexpr size_t kQuotedLength = 80;

bool IsIdCharacter(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~'; }

// Takes the text before the next '/' off the front; without a '/' all of it.
std::string_view TakeSegment(std::string_view& rest, bool& more) {
  const size_t slash = rest.find('/');
  more = slash != std::string_view::npos;
  const std::string_view segment = rest.substr(0, slash);
  rest.remove_prefix(more ? slash + 1 : rest.size());
  return segment;
}

std::optional<int> Number(std::string_view digits) {
  int value = 0;
  if (!std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit)) return std::nullopt;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace

bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= kMaxIdLength && text[0] != '.' && std::all_of(text.begin(), text.end(), IsIdCharacter);
}

std::optional<std::vector<std::string>> Match(std::string_view name, std::string_view pattern) {
  std::vector<std::string> ids;
  for (bool more_name = true, more_pattern = true; more_name || more_pattern;) {
    if (!more_name || !more_pattern) return std::nullopt;
    const std::string_view segment = TakeSegment(name, more_name);
    const std::string_view wanted = TakeSegment(pattern, more_pattern);
    if (wanted == "*") {
      if (!IsId(segment)) return std::nullopt;
      ids.emplace_back(segment);
    } else if (segment != wanted) {
      return std::nullopt;
    }
  }
  return ids;
}

std::vector<std::string> Require(std::string_view field, std::string_view name, std::string_view pattern, status::BadRequest& bad) {
  if (auto ids = Match(name, pattern)) return *std::move(ids);
  bad.Add(field, absl::StrCat("\"", text::Shorten(name, kQuotedLength), "\", want ", std::string(pattern)));
  return std::vector<std::string>(std::count(pattern.begin(), pattern.end(), '*'));
}

std::string WaveOf(std::string_view name) {
  size_t end = 0;
  for (int slashes = 0; end < name.size(); ++end) {
    if (name[end] == '/' && ++slashes == 4) break;
  }
  const std::string_view wave = name.substr(0, end);
  return Match(wave, "surveys/*/waves/*") ? std::string(wave) : "";
}

std::string LastId(std::string_view name) { return std::string(name.substr(name.rfind('/') + 1)); }

bool IsDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto year = Number(text.substr(0, 4)), month = Number(text.substr(5, 2)), day = Number(text.substr(8, 2));
  if (!year || !month || !day) return false;
  return std::chrono::year_month_day(std::chrono::year(*year), std::chrono::month(*month), std::chrono::day(*day)).ok();
}

}  // namespace peiling::names
