#include "services/common/server/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::server {
namespace {

absl::Status Invalid(const std::string& address, const std::string& why) {
  return status::Error(absl::StatusCode::kInvalidArgument, "ADDRESS_INVALID", absl::StrCat("cannot listen on ", address, ": ", why));
}

absl::Status BindError(const std::string& address, int error) {
  switch (error) {
    case EADDRINUSE:
      return status::Error(absl::StatusCode::kUnavailable, "PORT_TAKEN",
                           absl::StrCat("cannot listen on ", address, ": another process has this port"), {{"address", address}});
    case EACCES:
      return status::Error(absl::StatusCode::kPermissionDenied, "PORT_FORBIDDEN",
                           absl::StrCat("cannot listen on ", address, ": not allowed, want a port above 1023"));
    default:
      return Invalid(address, std::strerror(error));
  }
}

absl::StatusOr<int> ListenAt(const std::string& address, const addrinfo& candidate) {
  const int fd = socket(candidate.ai_family, candidate.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, candidate.ai_protocol);
  if (fd < 0) return BindError(address, errno);
  const int on = 1, off = 0;
  // Connections of an earlier process in TIME_WAIT are no hindrance.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (candidate.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (bind(fd, candidate.ai_addr, candidate.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  const int error = errno;
  close(fd);
  return BindError(address, error);
}

// Of "host:port" or "host"; without the brackets of "[::1]:80".
std::string HostOf(std::string_view address) {
  std::string host(address.substr(0, address.ends_with(']') ? address.size() : address.rfind(':')));
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return host;
}

absl::StatusOr<int> ListenAtHost(const std::string& address, const char* host, const char* port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host, port, &hints, &found); error != 0) return Invalid(address, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  return ListenAt(address, *found);
}

}  // namespace

bool IsLoopback(std::string_view address) {
  for (const std::string_view scheme : {"dns:///", "dns:", "ipv4:", "ipv6:"}) {
    if (!address.starts_with(scheme)) continue;
    address.remove_prefix(scheme.size());
    break;
  }
  const size_t comma = address.find(',');
  if (comma != std::string_view::npos && !IsLoopback(address.substr(comma + 1))) return false;
  const std::string host = HostOf(address.substr(0, comma));
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

absl::StatusOr<int> Listen(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) return Invalid(address, "want host:port");
  // getaddrinfo takes 65537 for port 1.
  if (int port; !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return Invalid(address, "want a port from 0 to 65535");
  }
  const std::string host = HostOf(address);
  const char* const service = address.c_str() + colon + 1;
  if (!host.empty() && host != "0.0.0.0") return ListenAtHost(address, host.c_str(), service);
  // The socket of all IPv6 addresses is that of all IPv4 addresses, too; some machines have no IPv6.
  const auto socket = ListenAtHost(address, "::", service);
  return status::Reason(socket.status()) == "ADDRESS_INVALID" ? ListenAtHost(address, "0.0.0.0", service) : socket;
}

absl::Status CheckListenAddress(const std::string& address) {
  const auto socket = Listen(address);
  if (!socket.ok()) return socket.status();
  close(*socket);
  return absl::OkStatus();
}

}  // namespace peiling::server
