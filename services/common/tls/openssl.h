// OpenSSL's objects with owners, and PEM. Private to this library.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>
#include <vector>

namespace peiling::tls {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

// Those in a text; none when it breaks off within one.
std::vector<Owned<X509>> ReadCertificates(std::string_view pem);
// Null when there is none, or one under a password.
Owned<EVP_PKEY> ReadKey(std::string_view pem);

}  // namespace peiling::tls
