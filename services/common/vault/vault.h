// Personal data are sealed before they are stored: AES-256-GCM with keys that are not in the store. Keys are a list, the first of which
// seals; the others only open, so that a key is rotated by putting a new one in front and, once nothing is sealed with an old one any more
// (resealer.h), leaving that out. What was sealed with a key that is thrown away is gone for ever, in every backup, too. README.md says how
// all this is done.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"

namespace peiling::vault {

// Where keys come from. One line for each key, "<id> <32 bytes in base64>": ids are 1 to 20 lower-case letters, digits and '-'. "<id> lost"
// for one that is gone, with what was sealed with it. Empty lines and what follows a '#' are passed over.
struct Options {
  // A file with them; files others may read are warned of.
  std::string key_file;
  // Make it, with a key, when it is missing and the store has nothing sealed.
  bool make_key_file = false;
  // Not a flag, since command lines can be seen by others: PEILING_PERSONAL_DATA_KEYS, the lines themselves. Given, the file is not read.
  std::string keys;
};

// Adds --personal-data-key-file (PEILING_PERSONAL_DATA_KEY_FILE), and reads PEILING_PERSONAL_DATA_KEYS.
void AddFlags(CLI::App& app, Options& options);

// What data in a store belong to, for Vault::Seal.
std::string ContextOf(std::string_view partition, std::string_view key);

// So many that nobody can guess.
std::string RandomBytes(size_t size);

// Immutable, so thread-safe.
class Vault {
 public:
  // Of lines as in Options. FAILED_PRECONDITION/PERSONAL_DATA_KEYS_INVALID with line and reason, never with a key.
  static absl::StatusOr<std::unique_ptr<Vault>> Make(std::string_view keys);
  // A line with a new key.
  static std::string NewKey(std::string_view id);

  // `context` is what the data belong to (its partition and key in the store): opened with another they are refused, so that nobody can put
  // one person's data in another's place. A random nonce each time.
  std::string Seal(std::string_view data, std::string_view context) const;
  // DATA_LOSS/STORAGE_CORRUPT when they were changed, belong elsewhere or are not sealed; FAILED_PRECONDITION/PERSONAL_DATA_KEY_MISSING
  // (metadata: key) when the key is none of these.
  absl::StatusOr<std::string> Unseal(std::string_view sealed, std::string_view context) const;
  // Sealed data begin with a zero byte, which no serialised message and no text does.
  static bool IsSealed(std::string_view data);
  // Whether it is sealed with another key than the first, or not at all.
  bool NeedsResealing(std::string_view sealed) const;

  // Id of the first key.
  const std::string& key_id() const { return keys_.front().id; }
  // Of all, the first one first.
  std::vector<std::string> key_ids() const;
  // Id of the key it is sealed with; "" when it is not sealed.
  static std::string KeyOf(std::string_view sealed);
  bool HasKey(std::string_view id) const;
  // Ids that are said to be lost.
  const std::vector<std::string>& lost_ids() const { return lost_; }
  bool IsLost(std::string_view id) const;
  // Whether it is sealed with a key that is lost, so that nobody can ever open it.
  bool IsGone(std::string_view sealed) const { return IsLost(KeyOf(sealed)); }
  // 32 bytes that only who has the key can make, for one purpose: HKDF-SHA-256. FAILED_PRECONDITION/PERSONAL_DATA_KEY_MISSING.
  absl::StatusOr<std::string> Derive(std::string_view id, std::string_view purpose) const;

 private:
  struct Key {
    std::string id;
    // 32 bytes, what others are derived from.
    std::string secret;
    // 32 bytes, what is sealed with.
    std::string sealing;
  };
  Vault(std::vector<Key> keys, std::vector<std::string> lost) : keys_(std::move(keys)), lost_(std::move(lost)) {}
  const Key* Find(std::string_view id) const;

  const std::vector<Key> keys_;
  const std::vector<std::string> lost_;
};

}  // namespace peiling::vault
