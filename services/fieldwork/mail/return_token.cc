#include "services/fieldwork/mail/return_token.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace peiling::fieldwork {
namespace {

constexpr size_t kCharacters = 16;

// Base 32: 5 bits of each byte, 80 in all.
absl::StatusOr<std::string> Make(const vault::Vault& vault, const std::string& key_id, const std::string& message) {
  static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  const auto bytes = vault.Derive(key_id, absl::StrCat("return-token/", message));
  if (!bytes.ok()) return bytes.status();
  std::string token;
  for (size_t i = 0; i < kCharacters; ++i) token.push_back(kAlphabet[static_cast<unsigned char>((*bytes)[i]) % kAlphabet.size()]);
  return token;
}

}  // namespace

absl::StatusOr<std::string> ReturnTokenOf(const vault::Vault& vault, const std::string& message) {
  return Make(vault, vault.key_id(), message);
}

bool IsReturnToken(const vault::Vault& vault, const std::string& message, std::string_view token) {
  if (token.size() != kCharacters) return false;
  const auto ids = vault.key_ids();
  return std::any_of(ids.begin(), ids.end(), [&](const std::string& id) {
    const auto made = Make(vault, id, message);
    return made.ok() && CRYPTO_memcmp(made->data(), token.data(), kCharacters) == 0;
  });
}

}  // namespace peiling::fieldwork
