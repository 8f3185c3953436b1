#include "services/gateway/identity/fetch.h"

#include <curl/curl.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/common/url/url.h"

namespace peiling::gateway {
namespace {

constexpr std::string_view kFile = "file:";

struct Free {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

absl::Status Failed(const std::string& address, std::string_view why) {
  return absl::UnavailableError(absl::StrCat("cannot read ", address, ": ", std::string(why)));
}

absl::StatusOr<std::string> ReadFile(const std::string& address, const FetchLimits& limits) {
  errno = 0;
  std::ifstream in(address.substr(kFile.size()), std::ios::binary);
  std::string text(limits.most_bytes, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.eof()) return Failed(address, in ? "is too large" : std::strerror(errno));
  text.resize(in.gcount());
  return text;
}

// What an HTTP call gathers, and when it is to end.
struct Gathering {
  std::string body;
  size_t most_bytes;
  const std::atomic<bool>& stop;
};

size_t OnBytes(const char* bytes, size_t one, size_t count, void* to) {
  auto& gathering = *static_cast<Gathering*>(to);
  if (gathering.body.size() + one * count > gathering.most_bytes) return 0;  // Ends the call.
  gathering.body.append(bytes, one * count);
  return one * count;
}

int OnProgress(void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return static_cast<Gathering*>(to)->stop ? 1 : 0; }

void Prepare(CURL* handle, const std::string& address, const FetchLimits& limits, Gathering& gathering, char* error) {
  curl_easy_setopt(handle, CURLOPT_URL, address.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");  // FetchProblem says of whom http.
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "127.0.0.1,::1,localhost");
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!limits.ca.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, limits.ca.c_str());
    // Else Debian's libcurl goes on believing the system's, too.
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "peiling");
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, OnBytes);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &gathering);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &gathering);
}

absl::StatusOr<std::string> ReadHttp(const std::string& address, const FetchLimits& limits, const std::atomic<bool>& stop) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, Free> handle(started == CURLE_OK ? curl_easy_init() : nullptr);
  if (handle == nullptr) return Failed(address, "no memory");
  Gathering gathering{"", limits.most_bytes, stop};
  char error[CURL_ERROR_SIZE] = "";
  Prepare(handle.get(), address, limits, gathering, error);
  const CURLcode code = curl_easy_perform(handle.get());
  if (code == CURLE_WRITE_ERROR) return Failed(address, "is too large");
  if (code != CURLE_OK) return Failed(address, error[0] != '\0' ? error : curl_easy_strerror(code));
  long answer = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &answer);
  if (answer != 200) return Failed(address, absl::StrCat("answers ", answer));
  return std::move(gathering.body);
}

}  // namespace

std::string FetchProblem(const std::string& address) {
  if (address.starts_with(kFile)) {
    return address.size() > kFile.size() + 1 && address[kFile.size()] == '/' ? "" : "want file: and an absolute path";
  }
  const std::optional<Url> url = ParseUrl(address);
  if (!url || (url->scheme != "https" && url->scheme != "http")) return "want https://… or file:/…";
  if (!IsHttpsOrOwnMachine(*url)) return "want https: whoever sits in between could put in keys of his own";
  return HasUserOrFragment(*url) ? "want no user and no fragment" : "";
}

std::string HostOf(const std::string& address) {
  const std::optional<Url> url = address.starts_with(kFile) ? std::nullopt : ParseUrl(address);
  return url ? absl::StrCat(url->host, url->port.empty() ? "" : ":", url->port) : "";
}

absl::StatusOr<std::string> Fetch(const std::string& address, const FetchLimits& limits, const std::atomic<bool>& stop) {
  if (const std::string problem = FetchProblem(address); !problem.empty()) return Failed(address, problem);
  return address.starts_with(kFile) ? ReadFile(address, limits) : ReadHttp(address, limits, stop);
}

}  // namespace peiling::gateway
