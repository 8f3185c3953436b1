#include "services/common/vault/vault.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/common/vault/key_lines.h"

namespace peiling::vault {
namespace {

using absl::StatusCode;

// What is sealed: kMark, the length of the key's id in a byte, the id, the nonce, the data as AES-256-GCM (NIST SP 800-38D) leaves them,
// and the tag. Everything before the nonce, and the context, are bound with it.
constexpr std::string_view kMark("\0pv1", 4);
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;

struct Free {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Free>;

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// HKDF-SHA-256 (RFC 5869) without salt: keys are random already.
std::string Hkdf(const std::string& secret, std::string_view purpose) {
  static EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  const std::unique_ptr<EVP_KDF_CTX, Free> context(EVP_KDF_CTX_new(kdf));
  std::string digest = "SHA256";
  std::string key = secret;
  std::string info(purpose);
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
                                   OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.data(), key.size()),
                                   OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
                                   OSSL_PARAM_construct_end()};
  std::string derived(kKeyBytes, '\0');
  // Its parameters are good: only memory can be wanting.
  if (context == nullptr || EVP_KDF_derive(context.get(), Bytes(derived), derived.size(), parameters) != 1) std::abort();
  return derived;
}

// What a sealed text begins with, and the rest of it.
struct Parts {
  std::string_view head;
  std::string_view key_id;
  std::string_view nonce;
  std::string_view data;
  std::string_view tag;
};

// Of what begins with kMark; nullopt when it is too short.
std::optional<Parts> Split(std::string_view sealed) {
  if (sealed.size() <= kMark.size()) return std::nullopt;
  const size_t id_length = static_cast<unsigned char>(sealed[kMark.size()]);
  const size_t head = kMark.size() + 1 + id_length;
  if (sealed.size() < head + kNonceBytes + kTagBytes) return std::nullopt;
  const size_t tag = sealed.size() - kTagBytes;
  return Parts{.head = sealed.substr(0, head),
               .key_id = sealed.substr(kMark.size() + 1, id_length),
               .nonce = sealed.substr(head, kNonceBytes),
               .data = sealed.substr(head + kNonceBytes, tag - head - kNonceBytes),
               .tag = sealed.substr(tag)};
}

// A cipher that was told key, nonce and what is bound with the data: the head (whose length it tells itself) and the context.
bool Begin(const Cipher& cipher, bool seal, const std::string& key, std::string_view nonce, std::string_view head,
           std::string_view context) {
  int length = 0;
  return cipher != nullptr &&
         EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, Bytes(std::string_view(key)), Bytes(nonce), seal ? 1 : 0) == 1 &&
         EVP_CipherUpdate(cipher.get(), nullptr, &length, Bytes(head), static_cast<int>(head.size())) == 1 &&
         EVP_CipherUpdate(cipher.get(), nullptr, &length, Bytes(context), static_cast<int>(context.size())) == 1;
}

absl::Status Changed() {
  return status::Error(StatusCode::kDataLoss, "STORAGE_CORRUPT", "personal data cannot be opened: they were changed, or belong elsewhere");
}

absl::Status KeyMissing(std::string_view id) {
  // What is no id is not repeated.
  const std::string known(id.size() <= 20 ? id : "");
  return status::Error(StatusCode::kFailedPrecondition, "PERSONAL_DATA_KEY_MISSING",
                       absl::StrCat("personal data are sealed with key \"", absl::CEscape(known), "\", which is not among those given"),
                       {{"key", absl::CEscape(known)}});
}

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option(
         "--personal-data-key-file", options.key_file,
         "Keys personal data are sealed with, a line \"<id> <32 bytes in base64>\" each, the first for what is new; default, with a "
         "store in a file: one that is made beside it, <file>.keys. Or the lines in PEILING_PERSONAL_DATA_KEYS")
      ->envname("PEILING_PERSONAL_DATA_KEY_FILE");
  if (const char* const keys = std::getenv("PEILING_PERSONAL_DATA_KEYS"); keys != nullptr) options.keys = keys;
}

std::string ContextOf(std::string_view partition, std::string_view key) {
  return absl::StrCat(std::string(partition), "\n", std::string(key));
}

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  // Without randomness nothing can be sealed, and there is no way to go on.
  if (RAND_bytes(Bytes(bytes), static_cast<int>(size)) != 1) std::abort();
  return bytes;
}

absl::StatusOr<std::unique_ptr<Vault>> Vault::Make(std::string_view keys) {
  auto parsed = ParseKeyLines(keys);
  if (!parsed.ok()) return parsed.status();
  std::vector<Key> made;
  for (auto& [id, secret] : parsed->keys) made.push_back({.id = id, .secret = secret, .sealing = Hkdf(secret, "peiling seal")});
  return std::unique_ptr<Vault>(new Vault(std::move(made), std::move(parsed->lost)));
}

std::string Vault::NewKey(std::string_view id) { return absl::StrCat(std::string(id), " ", absl::Base64Escape(RandomBytes(kKeyBytes))); }

std::string Vault::Seal(std::string_view data, std::string_view context) const {
  const Key& key = keys_.front();
  std::string sealed(kMark);
  sealed.push_back(static_cast<char>(key.id.size()));
  sealed += key.id;
  const size_t head = sealed.size();
  const std::string nonce = RandomBytes(kNonceBytes);
  sealed += nonce;
  const size_t begin = sealed.size();
  sealed.resize(begin + data.size() + kTagBytes);
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool done = Begin(cipher, true, key.sealing, nonce, std::string_view(sealed).substr(0, head), context) &&
                    EVP_CipherUpdate(cipher.get(), Bytes(sealed) + begin, &length, Bytes(data), static_cast<int>(data.size())) == 1 &&
                    EVP_CipherFinal_ex(cipher.get(), Bytes(sealed) + begin + data.size(), &length) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, Bytes(sealed) + begin + data.size()) == 1;
  // Only memory can be wanting, and personal data are never stored unsealed instead.
  if (!done) std::abort();
  return sealed;
}

absl::StatusOr<std::string> Vault::Unseal(std::string_view sealed, std::string_view context) const {
  const std::optional<Parts> parts = IsSealed(sealed) ? Split(sealed) : std::nullopt;
  if (!parts.has_value()) return Changed();
  const Key* const key = Find(parts->key_id);
  if (key == nullptr) return KeyMissing(parts->key_id);
  std::string data(parts->data.size() + 1, '\0');
  std::string tag(parts->tag);
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool good = Begin(cipher, false, key->sealing, parts->nonce, parts->head, context) &&
                    EVP_CipherUpdate(cipher.get(), Bytes(data), &length, Bytes(parts->data), static_cast<int>(parts->data.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
                    EVP_CipherFinal_ex(cipher.get(), Bytes(data) + parts->data.size(), &length) == 1;
  if (!good) return Changed();
  data.pop_back();
  return data;
}

bool Vault::IsSealed(std::string_view data) { return data.substr(0, kMark.size()) == kMark; }

bool Vault::NeedsResealing(std::string_view sealed) const { return KeyOf(sealed) != key_id(); }

std::vector<std::string> Vault::key_ids() const {
  std::vector<std::string> ids;
  for (const Key& key : keys_) ids.push_back(key.id);
  return ids;
}

std::string Vault::KeyOf(std::string_view sealed) {
  const std::optional<Parts> parts = IsSealed(sealed) ? Split(sealed) : std::nullopt;
  return parts.has_value() ? std::string(parts->key_id) : "";
}

const Vault::Key* Vault::Find(std::string_view id) const {
  const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const Key& candidate) { return candidate.id == id; });
  return key == keys_.end() ? nullptr : &*key;
}

bool Vault::HasKey(std::string_view id) const { return Find(id) != nullptr; }

bool Vault::IsLost(std::string_view id) const { return std::find(lost_.begin(), lost_.end(), id) != lost_.end(); }

absl::StatusOr<std::string> Vault::Derive(std::string_view id, std::string_view purpose) const {
  const Key* const key = Find(id);
  if (key == nullptr) return KeyMissing(id);
  return Hkdf(key->secret, absl::StrCat("peiling derive ", std::string(purpose)));
}

}  // namespace peiling::vault
