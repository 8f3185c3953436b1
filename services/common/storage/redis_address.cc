#include "services/common/storage/redis_address.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

constexpr int kRedisPort = 6379;
constexpr int kSentinelPort = 26379;
constexpr size_t kMaxEndpoints = 64;

struct Scheme {
  std::string_view prefix;
  RedisAddress::Kind kind;
  bool tls;
};

constexpr Scheme kSchemes[] = {
    {"redis://", RedisAddress::Kind::kServer, false},
    {"redis+sentinel://", RedisAddress::Kind::kSentinel, false},
    {"redis+cluster://", RedisAddress::Kind::kCluster, false},
    {"rediss://", RedisAddress::Kind::kServer, true},
    {"rediss+sentinel://", RedisAddress::Kind::kSentinel, true},
    {"rediss+cluster://", RedisAddress::Kind::kCluster, true},
};

const Scheme* FindScheme(std::string_view address) {
  for (const Scheme& scheme : kSchemes) {
    if (address.substr(0, scheme.prefix.size()) == scheme.prefix) return &scheme;
  }
  return nullptr;
}

std::optional<int> ParseNumber(std::string_view text, int least, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) return std::nullopt;
  return number;
}

// Takes the part before `separator` off the front; all of it when there is none.
std::string_view TakeUntil(std::string_view& text, char separator) {
  const size_t at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + std::min(i + 3, text.size()), byte, 16);
    if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
    decoded.push_back(static_cast<char>(byte));
    i += 2;
  }
  return decoded;
}

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// Reads the parts of an address into `result` and what is wrong with them into `wrong`.
class Parser {
 public:
  Parser(const Scheme& scheme, RedisAddress& result, status::BadRequest& wrong) : result_(result), wrong_(wrong) {
    result_.kind = scheme.kind;
    result_.tls = scheme.tls;
    result_.wait = scheme.kind == RedisAddress::Kind::kServer ? 0 : 1;
    result_.wait_all = scheme.kind == RedisAddress::Kind::kSentinel;
  }

  void Parse(std::string_view rest) {
    const size_t query = rest.find('?');
    std::string_view place = rest.substr(0, query);
    ParseUser(place);
    std::string_view hosts = TakeUntil(place, '/');
    ParsePath(place);
    ParseEndpoints(hosts);
    std::string_view options = query == std::string_view::npos ? std::string_view() : rest.substr(query + 1);
    while (!options.empty()) ParseOption(TakeUntil(options, '&'));
    if (result_.cert_file.empty() != result_.key_file.empty()) wrong_.Add("cert", "want cert and key together");
    const bool files = !result_.ca_file.empty() || !result_.cert_file.empty() || !result_.server_name.empty();
    if (files && !result_.tls) wrong_.Add("ca", "ca, cert, key and server-name are for TLS: want rediss://");
    if (!result_.sentinel_password_file.empty() && result_.kind != RedisAddress::Kind::kSentinel) {
      wrong_.Add("sentinel-password-file", "is for redis+sentinel://");
    }
  }

 private:
  // The user, taken off the front of the place.
  void ParseUser(std::string_view& place) {
    const size_t at = place.find('@');
    if (at == std::string_view::npos) return;
    const std::string_view user = place.substr(0, at);
    place = place.substr(at + 1);
    if (user.find(':') != std::string_view::npos) {
      wrong_.Add("user", "an address is no place for a password, want password-file=PATH or PEILING_REDIS_PASSWORD");
      return;
    }
    Assign("user", user, result_.user);
  }

  void ParsePath(std::string_view path) {
    if (result_.kind == RedisAddress::Kind::kSentinel) {
      Assign("name", path, result_.primary);
      if (result_.primary.empty()) wrong_.Add("name", "\"\", want the primary's name after the Sentinels, as in /peiling");
      return;
    }
    if (path.empty()) return;
    const auto db = ParseNumber(path, 0, 1 << 20);
    if (!db || (*db != 0 && result_.kind == RedisAddress::Kind::kCluster)) {
      wrong_.Add("db", Quoted(path) + ", want a number" + (db ? ", 0 with a Cluster" : ""));
      return;
    }
    result_.db = *db;
  }

  void ParseEndpoints(std::string_view hosts) {
    while (!hosts.empty()) ParseEndpoint(TakeUntil(hosts, ','));
    const size_t count = result_.endpoints.size();
    const bool one = result_.kind == RedisAddress::Kind::kServer;
    if (count == 0 || count > (one ? 1 : kMaxEndpoints)) {
      wrong_.Add("host", std::to_string(count) + " hosts, want " + (one ? "one" : "1 to " + std::to_string(kMaxEndpoints)));
    }
  }

  void ParseEndpoint(std::string_view text) {
    std::string_view host = text, port;
    const size_t bracket = text.find(']');
    const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) {
      host = text.substr(0, colon);
      port = text.substr(colon + 1);
    }
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    std::optional<int> number = result_.kind == RedisAddress::Kind::kSentinel ? kSentinelPort : kRedisPort;
    if (colon != std::string_view::npos) number = ParseNumber(port, 1, 65535);
    if (host.empty() || !number) {
      wrong_.Add("host", Quoted(text) + ", want HOST or HOST:PORT");
      return;
    }
    result_.endpoints.push_back({std::string(host), *number});
  }

  void ParseOption(std::string_view option) {
    const std::string_view name = TakeUntil(option, '=');
    if (name == "password-file") return Assign(name, option, result_.password_file);
    if (name == "sentinel-password-file") return Assign(name, option, result_.sentinel_password_file);
    if (name == "ca") return Assign(name, option, result_.ca_file);
    if (name == "cert") return Assign(name, option, result_.cert_file);
    if (name == "key") return Assign(name, option, result_.key_file);
    if (name == "server-name") return Assign(name, option, result_.server_name);
    if (name == "wait") return ParseWait(option);
    if (name == "pool") return AssignNumber(name, option, 1, 256, result_.pool);
    if (name == "wait-timeout-ms") return AssignTime(name, option, result_.wait_timeout);
    if (name == "timeout-ms") return AssignTime(name, option, result_.timeout);
    if (name == "fsync" && (option == "always" || option == "any")) {
      result_.fsync_always = option == "always";
      return;
    }
    wrong_.Add(name, name == "fsync" ? Quoted(option) + ", want always or any" : "no such option");
  }

  void ParseWait(std::string_view option) {
    const bool all = option == "all" && result_.kind == RedisAddress::Kind::kSentinel;
    result_.wait_all = all;
    if (!all) AssignNumber("wait", option, 0, 16, result_.wait);
  }

  void Assign(std::string_view name, std::string_view text, std::string& to) {
    const auto decoded = Decode(text);
    if (!decoded) wrong_.Add(name, Quoted(text) + ", want % and two hexadecimal digits");
    to = decoded.value_or("");
  }

  void AssignNumber(std::string_view name, std::string_view text, int least, int most, int& to) {
    const auto number = ParseNumber(text, least, most);
    if (!number) wrong_.Add(name, Quoted(text) + ", want " + std::to_string(least) + " to " + std::to_string(most));
    to = number.value_or(to);
  }

  void AssignTime(std::string_view name, std::string_view text, std::chrono::milliseconds& to) {
    int number = static_cast<int>(to.count());
    AssignNumber(name, text, 1, 60'000, number);
    to = std::chrono::milliseconds(number);
  }

  RedisAddress& result_;
  status::BadRequest& wrong_;
};

absl::StatusOr<std::string> ReadPassword(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string password((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!password.empty() && (password.back() == '\n' || password.back() == '\r')) password.pop_back();
  if (password.empty()) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "STORAGE_ACCESS", "there is no password in " + path);
  }
  return password;
}

}  // namespace

std::string RedisEndpoint::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool IsRedisAddress(const std::string& address) { return FindScheme(address) != nullptr; }

absl::StatusOr<RedisAddress> ParseRedisAddress(const std::string& address) {
  RedisAddress result;
  status::BadRequest wrong;
  if (const Scheme* scheme = FindScheme(address)) {
    Parser(*scheme, result, wrong).Parse(std::string_view(address).substr(scheme->prefix.size()));
  } else {
    wrong.Add("scheme", "want redis://, redis+sentinel://, redis+cluster:// or the same with rediss");
  }
  if (absl::Status status = wrong.ToStatus("STORAGE_ADDRESS"); !status.ok()) return status;
  return result;
}

absl::StatusOr<std::string> RedisPassword(const RedisAddress& address) {
  if (!address.password_file.empty()) return ReadPassword(address.password_file);
  const char* password = std::getenv("PEILING_REDIS_PASSWORD");
  return std::string(password == nullptr ? "" : password);
}

absl::StatusOr<std::string> SentinelPassword(const RedisAddress& address) {
  if (address.sentinel_password_file.empty()) return std::string();
  return ReadPassword(address.sentinel_password_file);
}

}  // namespace peiling::storage
