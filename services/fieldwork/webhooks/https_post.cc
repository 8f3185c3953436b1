#include "services/fieldwork/webhooks/https_post.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/url/url.h"

namespace peiling::fieldwork {
namespace {

constexpr size_t kMaxUrl = 2000;
constexpr size_t kMappedPrefix = 12;

struct Free {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// 4 or 16 bytes of an address; nullopt for what is none. An IPv4 address written as IPv6 is the IPv4 address.
std::optional<std::string> Bytes(std::string text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  std::array<char, 16> bytes;
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 4);
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return std::nullopt;
  static constexpr char kMapped[kMappedPrefix + 1] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";
  if (std::equal(kMapped, kMapped + kMappedPrefix, bytes.data())) return std::string(bytes.data() + kMappedPrefix, 4);
  return std::string(bytes.data(), 16);
}

// Not public (IANA's registries of special-purpose addresses, RFC 6890). Of IPv6 nothing is but global unicast (RFC 4291, 2.4), and of that
// not what is special or stands for an IPv4 address (RFC 3056, RFC 4380).
constexpr char kGlobalUnicast[] = "2000::/3";
const std::vector<std::string> kSpecial = {"0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
                                           "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
                                           "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
                                           "2001::/23",     "2001:db8::/32",   "2002::/16",      "3fff::/20"};

// Who is sent to, looked at when a connection is made.
struct Gate {
  const AllowedNetworks& allowed;
  bool refused = false;
};

curl_socket_t Open(void* to, curlsocktype, curl_sockaddr* address) {
  auto& gate = *static_cast<Gate*>(to);
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = address->family == AF_INET ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&address->addr)->sin_addr)
                                                 : &reinterpret_cast<const sockaddr_in6*>(&address->addr)->sin6_addr;
  const bool internet = address->family == AF_INET || address->family == AF_INET6;
  if (!internet || inet_ntop(address->family, bytes, text.data(), text.size()) == nullptr || !gate.allowed.Contains(text.data())) {
    gate.refused = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t Drop(const char*, size_t one, size_t count, void* seen) {
  constexpr size_t kEnough = 64 << 10;
  auto& bytes = *static_cast<size_t*>(seen);
  bytes += one * count;
  return bytes > kEnough ? 0 : one * count;
}

}  // namespace

absl::StatusOr<AllowedNetworks> AllowedNetworks::Parse(const std::vector<std::string>& texts) {
  AllowedNetworks allowed;
  for (const std::string& text : texts) {
    const std::vector<std::string> parts = absl::StrSplit(text, '/');
    const std::optional<std::string> prefix = Bytes(parts[0]);
    int bits = prefix ? static_cast<int>(prefix->size()) * 8 : 0;
    const int most = bits;
    if (!prefix || parts.size() > 2 || (parts.size() == 2 && !absl::SimpleAtoi(parts[1], &bits)) || bits < 0 || bits > most) {
      return absl::InvalidArgumentError(absl::StrCat("\"", text, "\", want a network such as 10.1.0.0/16 or fd00::/8"));
    }
    allowed.networks_.push_back({*prefix, bits});
  }
  return allowed;
}

bool AllowedNetworks::Lies(const std::string& address, const Network& network) {
  if (address.size() != network.prefix.size()) return false;
  const int whole = network.bits / 8;
  if (address.compare(0, whole, network.prefix, 0, whole) != 0) return false;
  const int rest = network.bits % 8;
  return rest == 0 || ((address[whole] ^ network.prefix[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

bool AllowedNetworks::Contains(const std::string& address) const {
  static const AllowedNetworks special = *Parse(kSpecial);
  static const AllowedNetworks global = *Parse({kGlobalUnicast});
  const std::optional<std::string> bytes = Bytes(address);
  if (!bytes) return false;
  const auto within = [&](const AllowedNetworks& some) {
    return std::any_of(some.networks_.begin(), some.networks_.end(), [&](const Network& network) { return Lies(*bytes, network); });
  };
  const bool may_be_public = bytes->size() == 4 || within(global);
  return within(*this) || (may_be_public && !within(special));
}

std::string UrlProblem(const std::string& url, const AllowedNetworks& allowed) {
  if (url.size() > kMaxUrl) return absl::StrCat(url.size(), " characters, want at most ", kMaxUrl);
  const std::optional<Url> parts = ParseUrl(url);
  if (!parts || parts->host.empty()) return "is no URL, want https://…";
  if (HasUserOrFragment(*parts)) return "want no user, password or fragment in it";
  const bool is_address = Bytes(parts->host).has_value();
  if (is_address && !allowed.Contains(parts->host)) return "leads to an address that is not public";
  if (parts->scheme == "https" || (parts->scheme == "http" && is_address && !AllowedNetworks().Contains(parts->host))) return "";
  return "want https://…";
}

absl::StatusOr<int> Post(const std::string& url, const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body,
                         const AllowedNetworks& allowed, const PostLimits& limits) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, Free> owned(started == CURLE_OK ? curl_easy_init() : nullptr);
  CURL* const handle = owned.get();
  if (handle == nullptr) return absl::UnavailableError("no memory");
  std::unique_ptr<curl_slist, Free> list;
  for (const auto& [name, value] : headers) list.reset(curl_slist_append(list.release(), absl::StrCat(name, ": ", value).c_str()));
  Gate gate{allowed};
  size_t seen = 0;
  std::array<char, CURL_ERROR_SIZE> error{};
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");  // UrlProblem says of whom http.
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
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
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error.data());
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, Open);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &gate);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, Drop);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &seen);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const CURLcode code = curl_easy_perform(handle);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  // An answer that is too long to be read has a status all the same.
  if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && status != 0)) return static_cast<int>(status);
  if (gate.refused) return absl::PermissionDeniedError("the name stands for an address that is not public");
  return absl::UnavailableError(error[0] != '\0' ? error.data() : curl_easy_strerror(code));
}

}  // namespace peiling::fieldwork
