// TLS as a codec: bytes in, bytes out, no socket. OpenSSL would write to a socket without MSG_NOSIGNAL. Private to this library.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/storage/redis_address.h"

namespace peiling::storage {

struct FreeTls {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;

// What the address says of TLS; read anew at every connect, so that certificates may change. FAILED_PRECONDITION/STORAGE_ACCESS when a
// file cannot be used.
absl::StatusOr<TlsContext> MakeTlsContext(const RedisAddress& address);

// The client's side of one TLS connection. Not thread-safe.
class TlsSession {
 public:
  // `name` is what the server's certificate must be for: a host's name or an address.
  static absl::StatusOr<std::unique_ptr<TlsSession>> Create(TlsContext context, const std::string& name);

  // Takes bytes from the network, and goes on with the handshake as long as there is one. UNAVAILABLE/STORAGE_ACCESS when the other side is
  // not to be trusted or does not trust us.
  absl::Status Receive(std::string_view bytes);
  // Bytes for the network, if any.
  std::string TakeOutgoing();

  bool connected() const { return SSL_is_init_finished(ssl_.get()) != 0; }
  // Once connected.
  absl::Status Write(std::string_view plain);
  // What was received, appended to `plain`.
  absl::Status Read(std::string& plain);

 private:
  TlsSession(TlsContext context, std::unique_ptr<SSL, FreeTls> ssl) : context_(std::move(context)), ssl_(std::move(ssl)) {}

  TlsContext context_;
  std::unique_ptr<SSL, FreeTls> ssl_;
};

}  // namespace peiling::storage
