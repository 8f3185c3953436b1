#include "services/gateway/identity/token_keys.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "services/gateway/identity/json.h"

namespace peiling::gateway {
namespace {

constexpr int kLeastRsaBits = 2048;
// Checking a signature grows with the square of the bits.
constexpr int kMostRsaBits = 8192;
constexpr size_t kMostExponentBytes = 4;
// A coordinate of P-256, and half of an ES256 signature.
constexpr size_t kEcBytes = 32;
constexpr size_t kMostKeys = 100;

struct FreeAll {
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeAll>;

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Owned<BIGNUM> Number(std::string_view bytes) { return Owned<BIGNUM>(BN_bin2bn(Bytes(bytes), static_cast<int>(bytes.size()), nullptr)); }

// Null when the parameters make no key.
Owned<EVP_PKEY> MakeKey(const char* type, const Owned<OSSL_PARAM_BLD>& builder) {
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get());
  Owned<EVP_PKEY> key(made);
  if (key != nullptr) {
    const Owned<EVP_PKEY_CTX> checking(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    if (EVP_PKEY_public_check(checking.get()) != 1) key.reset();
  }
  ERR_clear_error();
  return key;
}

std::string Decoded(const rapidjson::Value& jwk, std::string_view name) {
  const auto text = TextOf(jwk, name);
  return text.has_value() ? DecodeBase64Url(*text).value_or("") : "";
}

absl::StatusOr<Owned<EVP_PKEY>> RsaKey(const rapidjson::Value& jwk) {
  const std::string modulus = Decoded(jwk, "n");
  const std::string exponent = Decoded(jwk, "e");
  if (modulus.size() > kMostRsaBits / 8 + 1 || exponent.empty() || exponent.size() > kMostExponentBytes) {
    return absl::InvalidArgumentError("an RSA key out of bounds");
  }
  const Owned<BIGNUM> n = Number(modulus);
  const Owned<BIGNUM> e = Number(exponent);
  if (BN_num_bits(n.get()) < kLeastRsaBits || BN_num_bits(n.get()) > kMostRsaBits) {
    return absl::InvalidArgumentError(absl::StrCat("an RSA key of ", BN_num_bits(n.get()), " bits"));
  }
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  auto key = MakeKey("RSA", builder);
  if (key == nullptr) return absl::InvalidArgumentError("an RSA key that is none");
  return key;
}

absl::StatusOr<Owned<EVP_PKEY>> EcKey(const rapidjson::Value& jwk) {
  const std::string x = Decoded(jwk, "x");
  const std::string y = Decoded(jwk, "y");
  if (x.size() != kEcBytes || y.size() != kEcBytes) return absl::InvalidArgumentError("an EC key out of bounds");
  const std::string point = absl::StrCat("\x04", x, y);  // Uncompressed.
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  auto key = MakeKey("EC", builder);
  if (key == nullptr) return absl::InvalidArgumentError("an EC key that is none");
  return key;
}

// What a key of the set signs with; nullopt when that is not among what tokens may be signed with.
std::optional<Algorithm> AlgorithmOf(const rapidjson::Value& jwk) {
  std::optional<Algorithm> algorithm;
  if (TextOf(jwk, "kty") == "RSA") algorithm = Algorithm::kRs256;
  if (TextOf(jwk, "kty") == "EC" && TextOf(jwk, "crv") == "P-256") algorithm = Algorithm::kEs256;
  const auto named = TextOf(jwk, "alg");
  return named.has_value() && AlgorithmNamed(*named) != algorithm ? std::nullopt : algorithm;
}

// The DER that OpenSSL takes, of the two numbers that RFC 7518 writes; empty for what is not 64 bytes.
std::string DerOf(std::string_view signature) {
  if (signature.size() != 2 * kEcBytes) return "";
  const Owned<ECDSA_SIG> pair(ECDSA_SIG_new());
  ECDSA_SIG_set0(pair.get(), Number(signature.substr(0, kEcBytes)).release(), Number(signature.substr(kEcBytes)).release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  if (size <= 0) return "";
  std::string bytes(reinterpret_cast<const char*>(der), size);
  OPENSSL_free(der);
  return bytes;
}

}  // namespace

std::optional<Algorithm> AlgorithmNamed(std::string_view name) {
  if (name == "RS256") return Algorithm::kRs256;
  if (name == "ES256") return Algorithm::kEs256;
  return std::nullopt;
}

bool TokenKey::Signed(std::string_view text, std::string_view signature) const {
  const std::string der = algorithm_ == Algorithm::kEs256 ? DerOf(signature) : std::string(signature);
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  // RSA: PKCS #1 v1.5 padding is what OpenSSL takes by itself.
  const bool is_signed = !der.empty() && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
                         EVP_DigestVerify(context.get(), Bytes(der), der.size(), Bytes(text), text.size()) == 1;
  ERR_clear_error();
  return is_signed;
}

absl::StatusOr<std::shared_ptr<const TokenKeys>> TokenKeys::Parse(std::string_view jwks) {
  const auto document = ParseJsonObject(jwks);
  if (!document.ok()) return document.status();
  const rapidjson::Value* list = MemberOf(*document, "keys");
  if (list == nullptr || !list->IsArray() || list->Size() > kMostKeys) return absl::InvalidArgumentError("no list of keys");
  auto keys = std::make_shared<TokenKeys>();
  for (rapidjson::SizeType i = 0; i < list->Size(); ++i) {
    const absl::Status added = keys->Add((*list)[i]);
    if (!added.ok()) keys->passed_over_.push_back(absl::StrCat("keys[", i, "]: ", added.message()));
  }
  return keys;
}

absl::Status TokenKeys::Add(const rapidjson::Value& jwk) {
  if (!jwk.IsObject()) return absl::InvalidArgumentError("no object");
  if (TextOf(jwk, "use").value_or("sig") != "sig") return absl::OkStatus();
  const auto id = TextOf(jwk, "kid");
  if (!id.has_value()) return absl::InvalidArgumentError("a key without a kid");
  const auto algorithm = AlgorithmOf(jwk);
  if (!algorithm.has_value()) return absl::InvalidArgumentError("neither for RS256 nor for ES256");
  auto key = algorithm == Algorithm::kRs256 ? RsaKey(jwk) : EcKey(jwk);
  if (!key.ok()) return key.status();
  const bool added = keys_.try_emplace({std::string(*id), *algorithm}, *algorithm, key->release()).second;
  return added ? absl::OkStatus() : absl::InvalidArgumentError("the kid of a key before it");
}

const TokenKey* TokenKeys::Find(std::string_view id, Algorithm algorithm) const {
  const auto found = keys_.find({std::string(id), algorithm});
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace peiling::gateway
