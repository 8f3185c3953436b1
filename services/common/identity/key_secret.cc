#include "services/common/identity/key_secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace peiling::identity {
namespace {

constexpr std::string_view kPrefix = "peiling_";
constexpr size_t kIdBytes = 8;
constexpr size_t kIdLength = 2 * kIdBytes;
constexpr size_t kRandomBytes = 32;
constexpr size_t kRandomLength = 43;

// As OWASP advises for scrypt with little memory; the secret is random, so that this is about a stolen store and nothing else.
constexpr uint32_t kCost = 16384;
constexpr uint32_t kBlockSize = 8;
constexpr uint32_t kParallelisation = 1;
constexpr size_t kSaltBytes = 16;
constexpr size_t kHashBytes = 32;

constexpr uint64_t kMaxMemory = 64 << 20;
constexpr uint64_t kMaxWork = 4ULL * kCost * kBlockSize * kParallelisation;

std::string Random(size_t size) {
  std::string bytes(size, '\0');
  // Without randomness there are no secrets, and no way to go on.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) != 1) std::abort();
  return bytes;
}

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool IsBase64Url(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; }

// "" when the parameters are out of bounds.
std::string Scrypt(std::string_view secret, const access::v1::SecretHash& parameters) {
  const uint64_t cost = parameters.cost();
  const uint64_t block_size = parameters.block_size();
  const uint64_t parallelisation = parameters.parallelisation();
  // Each by itself first, so that the product cannot overflow.
  if (std::max({cost, block_size, parallelisation}) > kMaxWork || cost * block_size > kMaxWork) return "";
  if (cost * block_size * parallelisation > kMaxWork) return "";
  std::string hash(kHashBytes, '\0');
  const int made = EVP_PBE_scrypt(secret.data(), secret.size(), reinterpret_cast<const unsigned char*>(parameters.salt().data()),
                                  parameters.salt().size(), cost, block_size, parallelisation, kMaxMemory,
                                  reinterpret_cast<unsigned char*>(hash.data()), hash.size());
  return made == 1 ? hash : "";
}

}  // namespace

std::string NewKeyId() { return absl::BytesToHexString(Random(kIdBytes)); }

std::string NewSecret(std::string_view key_id) {
  std::string random = absl::WebSafeBase64Escape(Random(kRandomBytes));
  return absl::StrCat(std::string(kPrefix), std::string(key_id), "_", random);
}

std::optional<std::string> ParseKeyId(std::string_view secret) {
  if (secret.size() != kPrefix.size() + kIdLength + 1 + kRandomLength || !secret.starts_with(kPrefix)) return std::nullopt;
  const std::string_view id = secret.substr(kPrefix.size(), kIdLength);
  const std::string_view random = secret.substr(kPrefix.size() + kIdLength + 1);
  if (secret[kPrefix.size() + kIdLength] != '_' || !std::all_of(id.begin(), id.end(), IsHex)) return std::nullopt;
  if (!std::all_of(random.begin(), random.end(), IsBase64Url)) return std::nullopt;
  return std::string(id);
}

access::v1::SecretHash Hash(std::string_view secret) {
  access::v1::SecretHash hash;
  hash.set_salt(Random(kSaltBytes));
  hash.set_cost(kCost);
  hash.set_block_size(kBlockSize);
  hash.set_parallelisation(kParallelisation);
  hash.set_hash(Scrypt(secret, hash));
  // The parameters are good: only memory can be wanting.
  if (hash.hash().empty()) std::abort();
  return hash;
}

bool Matches(std::string_view secret, const access::v1::SecretHash& hash) {
  if (hash.salt().size() != kSaltBytes || hash.hash().size() != kHashBytes) return false;
  const std::string made = Scrypt(secret, hash);
  return made.size() == kHashBytes && CRYPTO_memcmp(made.data(), hash.hash().data(), kHashBytes) == 0;
}

}  // namespace peiling::identity
