// A small HTTP server on loopback that answers what it is told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

namespace peiling::gateway {

// Thread-safe.
class HttpStub {
 public:
  HttpStub() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(socket_, 16);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread(&HttpStub::Run, this);
  }
  ~HttpStub() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }

  std::string address() const { return absl::StrCat("http://127.0.0.1:", port_, "/keys"); }
  int calls() const { return calls_; }

  // 0: hangs up without a word. `header` is written as it is, e.g. "location: …\r\n".
  void Answer(int code, const std::string& body, const std::string& header = "") {
    const std::lock_guard lock(mutex_);
    answer_ = code == 0 ? ""
                        : absl::StrCat("HTTP/1.1 ", code, " X\r\nconnection: close\r\n", header, "content-length: ", body.size(),
                                       "\r\n\r\n", body);
  }

 private:
  void Run() {
    while (true) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) return;
      ++calls_;
      Serve(client);
      ::close(client);
    }
  }

  void Serve(int client) {
    std::string request;
    char bytes[1024];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t size = ::recv(client, bytes, sizeof(bytes), 0);
      if (size <= 0) return;
      request.append(bytes, size);
    }
    std::string answer;
    {
      const std::lock_guard lock(mutex_);
      answer = answer_;
    }
    for (size_t sent = 0; sent < answer.size();) {
      const ssize_t size = ::send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) return;
      sent += size;
    }
  }

  const int socket_;
  int port_ = 0;
  std::atomic<int> calls_ = 0;
  std::mutex mutex_;
  std::string answer_;
  std::thread thread_;
};

}  // namespace peiling::gateway
