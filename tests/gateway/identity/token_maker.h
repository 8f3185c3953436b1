// An issuer of access tokens for tests: keys made on the spot, tokens as they should be and as they should not.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace peiling::gateway {

// A key pair.
class SigningKey {
 public:
  static SigningKey Rsa(const std::string& id, unsigned bits = 2048) { return {id, "RS256", EVP_RSA_gen(bits)}; }
  static SigningKey Ec(const std::string& id, const char* curve = "P-256") { return {id, "ES256", EVP_EC_gen(curve)}; }

  const std::string& id() const { return id_; }
  const std::string& algorithm() const { return algorithm_; }
  EVP_PKEY* key() const { return key_.get(); }

  // As a member of a key set.
  std::string Jwk() const {
    const std::string head = absl::StrCat(R"({"use":"sig","kid":")", id_, R"(","alg":")", algorithm_, R"(",)");
    if (algorithm_ == "RS256") {
      return absl::StrCat(head, R"("kty":"RSA","n":")", Number("n", 0), R"(","e":")", Number("e", 0), R"("})");
    }
    return absl::StrCat(head, R"("kty":"EC","crv":"P-256","x":")", Number("qx", 32), R"(","y":")", Number("qy", 32), R"("})");
  }

  // RS256 or ES256, as RFC 7518 writes them.
  std::string Sign(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    size_t size = 0;
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key());
    EVP_DigestSign(context.get(), nullptr, &size, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    signature.resize(size);
    return algorithm_ == "RS256" ? signature : Pair(signature);
  }

  // The public key in PEM, as attackers take it for a secret.
  std::string PublicPem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PUBKEY(bio.get(), key());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return std::string(bytes, size);
  }

 private:
  SigningKey(std::string id, std::string algorithm, EVP_PKEY* key)
      : id_(std::move(id)), algorithm_(std::move(algorithm)), key_(key, EVP_PKEY_free) {}

  std::string Number(const char* name, int bytes) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key(), name, &number);
    std::string text(bytes == 0 ? BN_num_bytes(number) : bytes, '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(text.data()), static_cast<int>(text.size()));
    BN_free(number);
    return absl::WebSafeBase64Escape(text);
  }

  // The two numbers of a signature in DER.
  static std::string Pair(const std::string& der) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())),
                                                                     ECDSA_SIG_free);
    std::string text(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), reinterpret_cast<unsigned char*>(text.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), reinterpret_cast<unsigned char*>(text.data()) + 32, 32);
    return text;
  }

  std::string id_;
  std::string algorithm_;
  std::shared_ptr<EVP_PKEY> key_;
};

inline std::string KeySet(const std::vector<SigningKey>& keys) {
  return absl::StrCat(R"({"keys":[)", absl::StrJoin(keys, ",", [](std::string* out, const SigningKey& key) { *out += key.Jwk(); }), "]}");
}

inline std::string HeaderOf(const SigningKey& key) {
  return absl::StrCat(R"({"alg":")", key.algorithm(), R"(","kid":")", key.id(), R"(","typ":"JWT"})");
}

inline std::string Token(const SigningKey& key, const std::string& header, const std::string& claims) {
  const std::string text = absl::StrCat(absl::WebSafeBase64Escape(header), ".", absl::WebSafeBase64Escape(claims));
  return absl::StrCat(text, ".", absl::WebSafeBase64Escape(key.Sign(text)));
}

inline std::string Token(const SigningKey& key, const std::string& claims) { return Token(key, HeaderOf(key), claims); }

// A certificate for names such as "DNS:mail.spotler.nl", by itself.
inline std::string Certificate(const SigningKey& key, const std::string& names, long begin_seconds = -60, long end_seconds = 3600) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), begin_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), end_seconds);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key.key());
  if (!names.empty()) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate.get(), key.key(), EVP_sha256());
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(bio.get(), certificate.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return std::string(bytes, size);
}

inline std::string Certificate(const std::string& names, long begin_seconds = -60, long end_seconds = 3600) {
  return Certificate(SigningKey::Ec("c"), names, begin_seconds, end_seconds);
}

}  // namespace peiling::gateway
