#include "services/gateway/http/negotiation.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// One member of a list such as Accept: "text/html;level=1;q=0.5".
struct Wish {
  std::string what;
  std::string charset;
  double weight = 1;
};

Wish ReadWish(absl::string_view member) {
  Wish wish;
  bool first = true;
  for (absl::string_view part : absl::StrSplit(member, ';')) {
    part = absl::StripAsciiWhitespace(part);
    if (first) {
      wish.what = absl::AsciiStrToLower(part);
      first = false;
      continue;
    }
    const std::pair<absl::string_view, absl::string_view> parameter = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (absl::EqualsIgnoreCase(parameter.first, "q") && !absl::SimpleAtod(parameter.second, &wish.weight)) wish.weight = 0;
    if (absl::EqualsIgnoreCase(parameter.first, "charset")) {
      absl::string_view charset = parameter.second;
      if (charset.size() > 1 && charset.front() == '"' && charset.back() == '"') charset = charset.substr(1, charset.size() - 2);
      wish.charset = absl::AsciiStrToLower(charset);
    }
  }
  return wish;
}

std::vector<Wish> ReadWishes(std::string_view header) {
  std::vector<Wish> wishes;
  for (const absl::string_view member : absl::StrSplit(View(header), ',')) {
    if (Wish wish = ReadWish(member); !wish.what.empty()) wishes.push_back(std::move(wish));
  }
  return wishes;
}

// How exactly a media range names a type: 3 "text/html", 2 "text/*", 1 "*/*", 0 not at all.
int Exactness(const std::string& range, const std::string& type) {
  if (range == type) return 3;
  if (range == type.substr(0, type.find('/')) + "/*") return 2;
  return range == "*/*" ? 1 : 0;
}

// The most exact wish counts.
double WeightOf(const std::vector<Wish>& wishes, const std::string& type) {
  int exactness = 0;
  double weight = 0;
  for (const Wish& wish : wishes) {
    const int this_exact = Exactness(wish.what, type);
    if (this_exact <= exactness) continue;
    exactness = this_exact;
    weight = wish.weight;
  }
  return weight;
}

}  // namespace

std::string PreferredType(std::string_view accept, const std::vector<std::string>& offered) {
  const std::vector<Wish> wishes = ReadWishes(accept.empty() ? "*/*" : accept);
  std::string preferred;
  double most = 0;
  for (const std::string& type : offered) {
    const double weight = WeightOf(wishes, type);
    if (weight <= most) continue;
    most = weight;
    preferred = type;
  }
  return preferred;
}

bool TakesGzip(std::string_view accept_encoding) {
  const std::vector<Wish> wishes = ReadWishes(accept_encoding);
  for (const char* name : {"gzip", "*"}) {
    const auto found = std::find_if(wishes.begin(), wishes.end(), [&](const Wish& wish) { return wish.what == name; });
    if (found != wishes.end()) return found->weight > 0;
  }
  return false;
}

bool IsOfType(std::string_view content_type, std::string_view type) {
  const Wish wish = ReadWish(View(content_type));
  return wish.what == type && (wish.charset.empty() || wish.charset == "utf-8");
}

absl::StatusOr<std::optional<std::string>> ReadIfMatch(std::string_view if_match) {
  if (if_match == "*") return std::nullopt;
  const bool quoted = if_match.size() > 2 && if_match.front() == '"' && if_match.back() == '"';
  const std::string_view tag = quoted ? if_match.substr(1, if_match.size() - 2) : "";
  if (!quoted || tag.find('"') != tag.npos) {
    return status::Error(absl::StatusCode::kInvalidArgument, "IF_MATCH_UNREADABLE", "If-Match: want one strong entity-tag in quotes, or *");
  }
  return std::string(tag);
}

bool HasTag(std::string_view if_none_match, std::string_view etag) {
  for (absl::string_view tag : absl::StrSplit(View(if_none_match), ',')) {
    tag = absl::StripAsciiWhitespace(tag);
    if (tag == "*") return true;
    absl::ConsumePrefix(&tag, "W/");
    if (tag == View(etag)) return true;
  }
  return false;
}

}  // namespace peiling::gateway
