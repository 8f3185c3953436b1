#include "tests/gateway/http/client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace peiling::gateway {

Client::Client(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{10, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const int at_once = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) throw std::runtime_error("cannot connect");
}

Client::~Client() { close(socket_); }

bool Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void Client::ShutdownSend() { shutdown(socket_, SHUT_WR); }

void Client::LimitReceiveBuffer(int bytes) { setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); }

void Client::Reset() {
  const linger at_once{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(socket_);
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

bool Client::Fill() {
  char buffer[16 << 10];
  const ssize_t got = recv(socket_, buffer, sizeof(buffer), 0);
  closed_ = got == 0 || (got < 0 && errno != EAGAIN);
  if (got <= 0) return false;
  in_.append(buffer, static_cast<size_t>(got));
  return true;
}

std::string Client::Take(size_t bytes) {
  while (in_.size() < bytes && Fill()) {
  }
  std::string taken = in_.substr(0, bytes);
  in_.erase(0, bytes);
  return taken;
}

Answered Client::ReadHead() {
  Answered answered;
  size_t end = 0;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return answered;
  }
  answered.head = Take(end + 4);
  bool first = true;
  for (const absl::string_view line : absl::StrSplit(answered.head, "\r\n", absl::SkipEmpty())) {
    if (first) {
      static_cast<void>(absl::SimpleAtoi(line.substr(9, 3), &answered.status));
      first = false;
      continue;
    }
    const std::pair<std::string, std::string> header = absl::StrSplit(line, absl::MaxSplits(": ", 1));
    std::string& value = answered.headers[absl::AsciiStrToLower(header.first)];
    absl::StrAppend(&value, value.empty() ? "" : ", ", header.second);
  }
  return answered;
}

Answered Client::Read(std::string_view to) {
  Answered answered = ReadHead();
  while (answered.status == 100) answered = ReadHead();
  if (to == "HEAD") return answered;
  if (answered.headers.contains("transfer-encoding")) {
    for (std::string chunk = ReadChunk(); !chunk.empty(); chunk = ReadChunk()) answered.body += chunk;
  } else if (answered.headers.contains("content-length")) {
    size_t length = 0;
    static_cast<void>(absl::SimpleAtoi(answered.headers["content-length"], &length));
    answered.body = Take(length);
  }
  return answered;
}

std::string Client::ReadChunk() {
  size_t end = 0;
  while ((end = in_.find("\r\n")) == std::string::npos) {
    if (!Fill()) return "";
  }
  const size_t size = std::stoul(Take(end + 2), nullptr, 16);
  std::string chunk = Take(size + 2);
  if (chunk.size() != size + 2) return "";
  chunk.resize(size);
  return chunk;
}

std::string Client::ReadLine() {
  size_t end = 0;
  while ((end = line_.find('\n')) == std::string::npos) {
    const std::string chunk = ReadChunk();
    if (chunk.empty()) return std::exchange(line_, "");
    line_ += chunk;
  }
  std::string line = line_.substr(0, end);
  line_.erase(0, end + 1);
  return line;
}

std::string Client::ReadToEnd() {
  while (Fill()) {
  }
  return std::exchange(in_, "");
}

bool Client::Closed() {
  while (Fill()) {
  }
  return closed_;
}

Answered Client::Ask(std::string_view verb, std::string_view target, std::string_view headers, std::string_view body) {
  const auto view = [](std::string_view text) { return absl::string_view(text.data(), text.size()); };
  std::string request = absl::StrCat(view(verb), " ", view(target), " HTTP/1.1\r\nHost: test\r\n", view(headers));
  if (!body.empty()) absl::StrAppend(&request, "Content-Length: ", body.size(), "\r\n");
  absl::StrAppend(&request, "\r\n", view(body));
  Send(request);
  return Read(verb);
}

}  // namespace peiling::gateway
