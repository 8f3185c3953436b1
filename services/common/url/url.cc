#include "services/common/url/url.h"

#include <curl/curl.h>

#include <memory>

#include "services/common/server/listen.h"

namespace peiling {
namespace {

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

}  // namespace

std::optional<Url> ParseUrl(const std::string& address) {
  const std::unique_ptr<CURLU, Free> url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, address.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) return std::nullopt;
  return Url{.scheme = PartOf(*url, CURLUPART_SCHEME),
             .host = PartOf(*url, CURLUPART_HOST),
             .port = PartOf(*url, CURLUPART_PORT),
             .user = PartOf(*url, CURLUPART_USER),
             .password = PartOf(*url, CURLUPART_PASSWORD),
             .fragment = PartOf(*url, CURLUPART_FRAGMENT)};
}

bool IsHttpsOrOwnMachine(const Url& url) { return url.scheme == "https" || (url.scheme == "http" && server::IsLoopback(url.host)); }

bool HasUserOrFragment(const Url& url) { return !url.user.empty() || !url.password.empty() || !url.fragment.empty(); }

}  // namespace peiling
