#include "services/fieldwork/public_links.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/server/listen.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

constexpr size_t kLongest = 500;

struct Free {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(char* text) const { curl_free(text); }
};

std::string PartOf(CURLU& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(&url, part, &text, 0) != CURLUE_OK) return "";
  const std::unique_ptr<char, Free> owned(text);
  return text;
}

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
  const std::unique_ptr<CURLU, Free> url(curl_url());
  if (!IsOfUriCharacters(text) || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return "it is no address";
  const std::string scheme = PartOf(*url, CURLUPART_SCHEME);
  if (scheme != "https" && !(scheme == "http" && server::IsLoopback(PartOf(*url, CURLUPART_HOST)))) return "want https://HOST";
  // curl also takes other numbers of slashes.
  const size_t host = scheme.size() + 3;
  if (!text.starts_with(scheme + "://") || text.find('/', host) == host) return "want https://HOST";
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
