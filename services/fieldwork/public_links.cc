#include "services/fieldwork/public_links.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/common/url/url.h"

namespace peiling::fieldwork {
namespace {

constexpr size_t kLongest = 500;

// RFC 3986, 2: they go into mails and headers as they are.
bool IsOfUriCharacters(const std::string& text) {
  constexpr std::string_view kOthers = "-._~:/?#[]@!$&'()*+,;=%";
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kOthers.find(c) != std::string_view::npos;
  });
}

// What is wrong with an address; empty: nothing.
std::string ProblemOf(const std::string& text, bool may_have_more) {
  if (text.size() > kLongest) return absl::StrCat("it is longer than ", kLongest, " characters");
  const std::optional<Url> url = IsOfUriCharacters(text) ? ParseUrl(text) : std::nullopt;
  if (!url) return "it is no address";
  if (!IsHttpsOrOwnMachine(*url)) return "want https://HOST";
  // curl also takes other numbers of slashes.
  const size_t host = url->scheme.size() + 3;
  if (!text.starts_with(url->scheme + "://") || text.find('/', host) == host) return "want https://HOST";
  if (text.find('@', host) < text.find_first_of("/?#", host)) return "it has a user in it";
  if (!may_have_more && text.find_first_of("?#") != std::string::npos) return "it has more behind its path";
  return "";
}

absl::Status Invalid(std::string_view flag, std::string_view what) {
  return status::Error(absl::StatusCode::kInvalidArgument, "LINK_INVALID", absl::StrCat(std::string(flag), ": ", std::string(what)));
}

}  // namespace

absl::StatusOr<PublicLinks> MakePublicLinks(std::string public_url, std::string link) {
  if (const std::string problem = ProblemOf(public_url, /*may_have_more=*/false); !problem.empty()) return Invalid("--public-url", problem);
  while (public_url.ends_with('/')) public_url.pop_back();
  if (link.empty()) link = absl::StrCat(public_url, "/deelnemen#", std::string(kTokenPlace));
  std::string filled = link;
  const size_t place = filled.find(kTokenPlace);
  if (place == std::string::npos || filled.find('#') > place) return Invalid("--link", "want {token} behind a '#': https://HOST/…#{token}");
  filled.replace(place, kTokenPlace.size(), "token");
  if (const std::string problem = ProblemOf(filled, /*may_have_more=*/true); !problem.empty()) return Invalid("--link", problem);
  return PublicLinks{std::move(public_url), std::move(link)};
}

}  // namespace peiling::fieldwork
