#include "services/ctl/client/metrics_page.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/errors.h"

namespace peiling::ctl {
namespace {

using Clock = std::chrono::steady_clock;

// No page of ours is near this.
constexpr size_t kMostBytes = 32 << 20;

absl::Status Unavailable(const std::string& address, std::string_view why) {
  return status::Error(absl::StatusCode::kUnavailable, "METRICS_UNAVAILABLE",
                       absl::StrCat("no metrics from ", address, ": ", std::string(why)));
}

struct Target {
  std::string host;
  std::string port;
  std::string path;
};

absl::StatusOr<Target> ParseTarget(const std::string& address) {
  const std::string rest(absl::StripPrefix(address, "http://"));
  const size_t slash = rest.find('/');
  const std::string authority = rest.substr(0, slash);
  const size_t colon = authority.rfind(':');
  const std::string path = slash == std::string::npos ? "" : rest.substr(slash);
  if (colon == std::string::npos || colon == 0 || colon + 1 == authority.size() || (path.size() > 1 && path != "/metrics")) {
    return UsageError(absl::StrCat("--metrics \"", address, "\": want host:port or http://host:port/metrics"));
  }
  std::string host = authority.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return Target{host, authority.substr(colon + 1), "/metrics"};
}

// A socket that does not block; closed when it goes.
class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int descriptor() const { return descriptor_; }
  // Whether there is something to do, by the deadline.
  bool Wait(int16_t events, Clock::time_point deadline) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd entry{.fd = descriptor_, .events = events, .revents = 0};
    return left.count() > 0 && poll(&entry, 1, static_cast<int>(left.count())) == 1;
  }

 private:
  const int descriptor_;
};

// The first of the host's addresses that takes the connection; null with errno when none does.
std::unique_ptr<Socket> Connect(const addrinfo* addresses, Clock::time_point deadline) {
  for (const addrinfo* address = addresses; address != nullptr; address = address->ai_next) {
    auto made = std::make_unique<Socket>(socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (made->descriptor() < 0) continue;
    if (connect(made->descriptor(), address->ai_addr, address->ai_addrlen) == 0) return made;
    if (errno != EINPROGRESS) continue;
    int error = ETIMEDOUT;
    socklen_t size = sizeof(error);
    if (made->Wait(POLLOUT, deadline)) getsockopt(made->descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return made;
    errno = error;
  }
  return nullptr;
}

// Everything until the other side closes.
absl::StatusOr<std::string> Receive(const Socket& socket, const std::string& address, Clock::time_point deadline) {
  std::string text;
  std::array<char, 16 << 10> buffer;
  while (true) {
    if (!socket.Wait(POLLIN, deadline)) return Unavailable(address, "it took too long");
    const ssize_t received = recv(socket.descriptor(), buffer.data(), buffer.size(), 0);
    if (received == 0) return text;
    if (received < 0) return Unavailable(address, strerror(errno));
    text.append(buffer.data(), static_cast<size_t>(received));
    if (text.size() > kMostBytes) return Unavailable(address, "it never ends");
  }
}

// The labels of `name="value",…`, with \\, \" and \n in values.
std::map<std::string, std::string> ParseLabels(std::string_view text) {
  std::map<std::string, std::string> labels;
  while (!text.empty()) {
    const size_t equals = text.find("=\"");
    if (equals == std::string_view::npos) break;
    const std::string name(text.substr(0, equals));
    std::string value;
    size_t at = equals + 2;
    for (; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) {
        ++at;
        value.push_back(text[at] == 'n' ? '\n' : text[at]);
      } else {
        value.push_back(text[at]);
      }
    }
    labels[name] = std::move(value);
    text.remove_prefix(std::min(text.size(), at + 1));
    if (!text.empty() && text.front() == ',') text.remove_prefix(1);
  }
  return labels;
}

}  // namespace

MetricsPage ParseMetrics(const std::string& text) {
  MetricsPage page;
  for (const auto& part : absl::StrSplit(text, '\n')) {
    const std::string_view line(part.data(), part.size());
    if (line.empty() || line.front() == '#') continue;
    const size_t brace = line.find('{'), end = line.rfind('}'), blank = line.rfind(' ');
    if (blank == std::string_view::npos) continue;
    Sample sample;
    const bool labelled = brace != std::string_view::npos && end != std::string_view::npos && brace < end && end < blank;
    if (labelled) sample.labels = ParseLabels(line.substr(brace + 1, end - brace - 1));
    if (!absl::SimpleAtod({line.data() + blank + 1, line.size() - blank - 1}, &sample.value)) continue;
    page[std::string(line.substr(0, labelled ? brace : blank))].push_back(std::move(sample));
  }
  return page;
}

absl::StatusOr<MetricsPage> FetchMetrics(const std::string& address, std::chrono::milliseconds timeout) {
  const auto target = ParseTarget(address);
  if (!target.ok()) return target.status();
  const auto deadline = Clock::now() + timeout;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(target->host.c_str(), target->port.c_str(), &hints, &found); error != 0) {
    return Unavailable(address, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  const auto socket = Connect(found, deadline);
  if (socket == nullptr) return Unavailable(address, strerror(errno));
  const std::string request = absl::StrCat("GET ", target->path, " HTTP/1.0\r\nHost: ", target->host, "\r\n\r\n");
  if (send(socket->descriptor(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return Unavailable(address, strerror(errno));
  }
  // Or the server waits a while for more.
  shutdown(socket->descriptor(), SHUT_WR);
  const auto answer = Receive(*socket, address, deadline);
  if (!answer.ok()) return answer.status();
  const size_t body = answer->find("\r\n\r\n");
  const std::string first = answer->substr(0, answer->find("\r\n"));
  if (body == std::string::npos || first.find(" 200") == std::string::npos)
    return Unavailable(address, absl::StrCat("it answered \"", first, "\""));
  return ParseMetrics(answer->substr(body + 4));
}

}  // namespace peiling::ctl
