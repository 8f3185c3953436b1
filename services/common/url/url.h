// Addresses (RFC 3986), as libcurl reads them.
#pragma once

#include <optional>
#include <string>

namespace peiling {

// What matters of an address. Empty: it has none.
struct Url {
  // In lower case.
  std::string scheme;
  // An IPv6 address stands in brackets.
  std::string host;
  std::string port;
  std::string user;
  std::string password;
  std::string fragment;
};

// nullopt for what is no address with a scheme, of whatever kind. Thread-safe.
std::optional<Url> ParseUrl(const std::string& address);

// Whether it goes over TLS, or in plain text no further than this machine itself.
bool IsHttpsOrOwnMachine(const Url& url);

// Whether it says who calls, or has something behind '#': both have no place in an address that is kept.
bool HasUserOrFragment(const Url& url);

}  // namespace peiling
