#include "services/common/storage/redis_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <utility>

#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

// The first error in OpenSSL's queue of this thread, which is emptied.
std::string TakeError() {
  char text[256] = "unknown error";
  if (const auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof(text));
  ERR_clear_error();
  return text;
}

absl::Status BadFile(const std::string& what) {
  return status::Error(absl::StatusCode::kFailedPrecondition, "STORAGE_ACCESS", "cannot use " + what + ": " + TakeError());
}

bool IsIpAddress(const std::string& name) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

}  // namespace

absl::StatusOr<TlsContext> MakeTlsContext(const RedisAddress& address) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const bool trusted = address.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                                               : SSL_CTX_load_verify_locations(context.get(), address.ca_file.c_str(), nullptr) == 1;
  if (!trusted) return BadFile("ca " + address.ca_file);
  if (!address.cert_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), address.cert_file.c_str()) != 1) return BadFile("cert " + address.cert_file);
    if (SSL_CTX_use_PrivateKey_file(context.get(), address.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      return BadFile("key " + address.key_file);
    }
  }
  return context;
}

absl::StatusOr<std::unique_ptr<TlsSession>> TlsSession::Create(TlsContext context, const std::string& name) {
  std::unique_ptr<SSL, FreeTls> ssl(SSL_new(context.get()));
  // The session owns both.
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl.get());
  bool named = false;
  if (IsIpAddress(name)) {
    named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), name.c_str()) == 1;
  } else {
    named = SSL_set1_host(ssl.get(), name.c_str()) == 1 && SSL_set_tlsext_host_name(ssl.get(), name.c_str()) == 1;
  }
  if (!named) return BadFile("server-name " + name);
  std::unique_ptr<TlsSession> session(new TlsSession(std::move(context), std::move(ssl)));
  // The client speaks first.
  if (absl::Status begun = session->Receive(""); !begun.ok()) return begun;
  return session;
}

absl::Status TlsSession::Receive(std::string_view bytes) {
  ERR_clear_error();
  if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
  if (connected()) return absl::OkStatus();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1 || SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return absl::OkStatus();
  std::string why = TakeError();
  if (const long verified = SSL_get_verify_result(ssl_.get()); verified != X509_V_OK) why = X509_verify_cert_error_string(verified);
  return status::Error(absl::StatusCode::kUnavailable, "STORAGE_ACCESS", "TLS: " + why);
}

std::string TlsSession::TakeOutgoing() {
  BIO* out = SSL_get_wbio(ssl_.get());
  std::string bytes(BIO_ctrl_pending(out), '\0');
  if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

absl::Status TlsSession::Write(std::string_view plain) {
  ERR_clear_error();
  size_t written = 0;
  if (plain.empty() || SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) == 1) return absl::OkStatus();
  return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "TLS: " + TakeError());
}

absl::Status TlsSession::Read(std::string& plain) {
  ERR_clear_error();
  char bytes[16 << 10];
  size_t read = 0;
  int result = 0;
  while ((result = SSL_read_ex(ssl_.get(), bytes, sizeof(bytes), &read)) == 1) plain.append(bytes, read);
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return absl::OkStatus();
  // An orderly end too is the end of this connection. With TLS 1.3 a server that refuses our certificate says so here.
  const bool refused = error == SSL_ERROR_SSL;
  return status::Error(absl::StatusCode::kUnavailable, refused ? "STORAGE_ACCESS" : "STORAGE_UNAVAILABLE",
                       refused ? "TLS: " + TakeError() : "TLS: the server has closed the connection");
}

}  // namespace peiling::storage
