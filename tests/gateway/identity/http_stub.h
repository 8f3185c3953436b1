// A small HTTP server on loopback that answers what it is told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

namespace peiling::gateway {

// Thread-safe.
class HttpStub {
 public:
  // Over TLS when it is given a certificate (PEM) and its key.
  explicit HttpStub(const std::string& certificate = "", EVP_PKEY* key = nullptr) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    // OpenSSL writes without MSG_NOSIGNAL.
    std::signal(SIGPIPE, SIG_IGN);
    if (key != nullptr) UseTls(certificate, key);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_, 16) != 0) std::abort();
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread(&HttpStub::Run, this);
  }
  ~HttpStub() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }

  std::string address() const { return absl::StrCat(tls_ == nullptr ? "http" : "https", "://127.0.0.1:", port_, "/keys"); }
  int calls() const { return calls_; }
  // The last one that was read whole, head and body.
  std::string request() {
    const std::lock_guard lock(mutex_);
    return request_;
  }

  // 0: hangs up without a word. `header` is written as it is, e.g. "location: …\r\n".
  void Answer(int code, const std::string& body, const std::string& header = "") {
    const std::lock_guard lock(mutex_);
    answer_ = code == 0 ? ""
                        : absl::StrCat("HTTP/1.1 ", code, " X\r\nconnection: close\r\n", header, "content-length: ", body.size(),
                                       "\r\n\r\n", body);
  }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  void UseTls(const std::string& certificate, EVP_PKEY* key) {
    tls_.reset(SSL_CTX_new(TLS_server_method()));
    BIO* bio = BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size()));
    X509* x509 = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(tls_.get(), x509);
    SSL_CTX_use_PrivateKey(tls_.get(), key);
    X509_free(x509);
    BIO_free(bio);
  }

  void Run() {
    while (true) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) return;
      ++calls_;
      if (tls_ == nullptr) {
        Serve([client](char* bytes, int size) { return static_cast<int>(::recv(client, bytes, size, 0)); },
              [client](const char* bytes, int size) { return static_cast<int>(::send(client, bytes, size, MSG_NOSIGNAL)); });
      } else {
        const std::unique_ptr<SSL, Free> ssl(SSL_new(tls_.get()));
        SSL_set_fd(ssl.get(), client);
        Serve([&ssl](char* bytes, int size) { return SSL_accept(ssl.get()) == 1 ? SSL_read(ssl.get(), bytes, size) : -1; },
              [&ssl](const char* bytes, int size) { return SSL_write(ssl.get(), bytes, size); });
        SSL_shutdown(ssl.get());
      }
      ::close(client);
    }
  }

  // Of a request of which this much has come: more than that while it is not all of its head.
  static size_t SizeOf(const std::string& request) {
    const size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos) return request.size() + 1;
    const size_t length = request.find("Content-Length: ");
    return head + 4 + (length < head ? std::strtoul(request.c_str() + length + 16, nullptr, 10) : 0);
  }

  template <typename Read, typename Write>
  void Serve(const Read& read, const Write& write) {
    std::string request;
    char bytes[1024];
    while (request.size() < SizeOf(request)) {
      const int size = read(bytes, sizeof(bytes));
      if (size <= 0) return;
      request.append(bytes, size);
    }
    std::string answer;
    {
      const std::lock_guard lock(mutex_);
      request_ = request;
      answer = answer_;
    }
    for (size_t sent = 0; sent < answer.size();) {
      const int size = write(answer.data() + sent, static_cast<int>(answer.size() - sent));
      if (size <= 0) return;
      sent += size;
    }
  }

  const int socket_;
  std::unique_ptr<SSL_CTX, Free> tls_;
  int port_ = 0;
  std::atomic<int> calls_ = 0;
  std::mutex mutex_;
  std::string answer_;
  std::string request_;
  std::thread thread_;
};

}  // namespace peiling::gateway
