// The public keys of an issuer of tokens: a JSON Web Key Set (RFC 7517).
#pragma once

#include <openssl/evp.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

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
  // Keys of other kinds, without an id, or for something else than signing are passed over. INVALID_ARGUMENT when it is no key set, none of
  // its keys can be used, an RSA key has less than 2048 or more than 8192 bits, or two have the same id and algorithm.
  static absl::StatusOr<std::shared_ptr<const TokenKeys>> Parse(std::string_view jwks);

  // Null when there is none. What a key may be used with follows from the key, not from the token.
  const TokenKey* Find(std::string_view id, Algorithm algorithm) const;

 private:
  std::map<std::pair<std::string, Algorithm>, TokenKey> keys_;
};

}  // namespace peiling::gateway
