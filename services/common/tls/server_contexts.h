// TLS of servers that run OpenSSL themselves.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "services/common/tls/watched.h"

namespace peiling::tls {

// What is spoken within, as ALPN says it. Of a server's one, clients who offer others alone are turned away.
enum class Protocol { kHttp1, kHttp2 };

// Contexts for the server's side: TLS 1.2 and 1.3 with forward secrecy, one protocol by ALPN. With authorities, clients are asked for a
// certificate: none will do, one that does not hold will not. Thread-safe.
class ServerContexts {
 public:
  // The errors of Load; FAILED_PRECONDITION/TLS_FILE_MALFORMED for what OpenSSL refuses (a key too small).
  static absl::StatusOr<std::unique_ptr<ServerContexts>> Open(Files files, Protocol protocol);

  // For a new connection; another one a few seconds after the files changed. Connections keep the one they began with alive.
  std::shared_ptr<SSL_CTX> Current();

 private:
  ServerContexts(std::shared_ptr<Watched> files, Protocol protocol, std::shared_ptr<const Material> material,
                 std::shared_ptr<SSL_CTX> context)
      : files_(std::move(files)), protocol_(protocol), material_(std::move(material)), context_(std::move(context)) {}

  const std::shared_ptr<Watched> files_;
  const Protocol protocol_;
  std::mutex mutex_;
  // What `context_` was made of.
  std::shared_ptr<const Material> material_;
  std::shared_ptr<SSL_CTX> context_;
};

// The certificate the other side of a connection has shown, with those that lead to its authority, in PEM; empty: none.
std::string PeerCertificate(const SSL& connection);

}  // namespace peiling::tls
