// The public keys of an issuer of tokens: a JSON Web Key Set (RFC 7517).
#pragma once

#include <openssl/evp.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "rapidjson/document.h"

namespace peiling::gateway {

// What tokens may be signed with (RFC 7518); all else is refused.
enum class Algorithm { kRs256, kEs256 };

// Of its "alg"; nullopt for all others, among them "none" and "HS256".
std::optional<Algorithm> AlgorithmNamed(std::string_view name);

// Immutable; thread-safe.
class TokenKey {
 public:
  // Takes the key.
  TokenKey(Algorithm algorithm, EVP_PKEY* key) : algorithm_(algorithm), key_(key) {}

  // Whether the holder of the private key signed the text.
  bool Signed(std::string_view text, std::string_view signature) const;

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };

  Algorithm algorithm_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

// Immutable; thread-safe.
class TokenKeys {
 public:
  // INVALID_ARGUMENT when it is no key set, or one of more than 100 keys. A set without any key is one: its issuer has withdrawn them all.
  static absl::StatusOr<std::shared_ptr<const TokenKeys>> Parse(std::string_view jwks);

  // Null when there is none. What a key may be used with follows from the key, not from the token.
  const TokenKey* Find(std::string_view id, Algorithm algorithm) const;
  bool empty() const { return keys_.empty(); }
  // Keys of the set that are not among these, each with the reason: of another kind, broken, without an id or with that of one before it,
  // an RSA key of less than 2048 or more than 8192 bits. Those that are not for signing are not told.
  const std::vector<std::string>& passed_over() const { return passed_over_; }

 private:
  // INVALID_ARGUMENT when it is to be passed over.
  absl::Status Add(const rapidjson::Value& jwk);

  std::map<std::pair<std::string, Algorithm>, TokenKey> keys_;
  std::vector<std::string> passed_over_;
};

}  // namespace peiling::gateway
