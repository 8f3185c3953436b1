#include "services/gateway/identity/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdlib>

namespace peiling::gateway {
namespace {

const Digest& ProcessKey() {
  static const Digest key = [] {
    Digest random;
    // Without randomness nothing can be told apart safely, and there is no way to go on.
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) std::abort();
    return random;
  }();
  return key;
}

}  // namespace

Digest DigestOf(std::string_view credential) {
  const Digest& key = ProcessKey();
  Digest digest;
  unsigned int size = 0;
  const auto* text = reinterpret_cast<const unsigned char*>(credential.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text, credential.size(), digest.data(), &size) == nullptr) std::abort();
  return digest;
}

bool SameDigest(const Digest& a, const Digest& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace peiling::gateway
