#include "services/common/tls/server_contexts.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"
#include "services/common/tls/openssl.h"

namespace peiling::tls {
namespace {

constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kSessions[] = "peiling";
constexpr std::string_view kHttp1 = "\x08http/1.1";
constexpr std::string_view kHttp2 = "\x02h2";

const std::string_view& NameOf(Protocol protocol) { return protocol == Protocol::kHttp2 ? kHttp2 : kHttp1; }

// A client without ALPN, or with others beside it, speaks the server's all the same.
int Select(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned int offered_size, void* own) {
  const std::string_view known = *static_cast<const std::string_view*>(own);
  unsigned char* selected = nullptr;
  const int found =
      SSL_select_next_proto(&selected, size, reinterpret_cast<const unsigned char*>(known.data()), known.size(), offered, offered_size);
  *out = selected;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool UsePair(SSL_CTX& context, const Material& material) {
  const auto chain = ReadCertificates(material.certificate);
  if (chain.empty() || SSL_CTX_use_certificate(&context, chain.front().get()) != 1) return false;
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(&context, chain[i].get()) != 1) return false;
  }
  return SSL_CTX_use_PrivateKey(&context, ReadKey(material.key).get()) == 1;
}

void AskForCertificates(SSL_CTX& context, const std::string& ca) {
  for (const auto& authority : ReadCertificates(ca)) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), authority.get());
    SSL_CTX_add_client_CA(&context, authority.get());
  }
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, nullptr);
}

absl::StatusOr<std::shared_ptr<SSL_CTX>> MakeContext(const Material& material, Protocol protocol) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_cipher_list(context.get(), kCiphers);
  SSL_CTX_set_session_id_context(context.get(), kSessions, sizeof(kSessions) - 1);
  SSL_CTX_set_alpn_select_cb(context.get(), Select, const_cast<std::string_view*>(&NameOf(protocol)));
  const bool usable = UsePair(*context, material);
  if (!material.ca.empty()) AskForCertificates(*context, material.ca);
  char why[256] = "unknown error";
  if (const auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, why, sizeof(why));
  ERR_clear_error();
  if (usable) return context;
  return status::Error(absl::StatusCode::kFailedPrecondition, "TLS_FILE_MALFORMED", absl::StrCat("cannot use the certificate: ", why));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerContexts>> ServerContexts::Open(Files files, Protocol protocol) {
  auto watched = Watched::Open(std::move(files));
  if (!watched.ok()) return watched.status();
  auto material = (*watched)->Current();
  auto context = MakeContext(*material, protocol);
  if (!context.ok()) return context.status();
  return std::unique_ptr<ServerContexts>(new ServerContexts(*std::move(watched), protocol, std::move(material), *std::move(context)));
}

std::shared_ptr<SSL_CTX> ServerContexts::Current() {
  auto material = files_->Current();
  const std::lock_guard lock(mutex_);
  if (material == material_) return context_;
  auto context = MakeContext(*material, protocol_);
  if (context.ok()) {
    context_ = *std::move(context);
  } else {
    log::Warning("changed certificates are not used", {{"error", std::string(context.status().message())}});
  }
  material_ = std::move(material);
  return context_;
}

std::string PeerCertificate(const SSL& connection) {
  std::string pem;
  // At the server's end the chain is without the client's own certificate.
  const Owned<X509> own(SSL_get1_peer_certificate(&connection));
  if (own == nullptr) return pem;
  const Owned<BIO> text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(text.get(), own.get());
  const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(&connection);
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) PEM_write_bio_X509(text.get(), sk_X509_value(chain, i));
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  pem.assign(bytes, size);
  return pem;
}

}  // namespace peiling::tls
