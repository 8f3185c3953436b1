#include "services/common/vault/key_marks.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/common/storage/race.h"
#include "services/common/vault/key_lines.h"

namespace peiling::vault {
namespace {

using absl::StatusCode;

constexpr char kPartition[] = "vault";
constexpr char kPrefix[] = "key/";
// More keys than anybody has.
constexpr size_t kMostMarks = 1000;
constexpr char kMemory[] = "sqlite::memory:";
constexpr char kSqlite[] = "sqlite:";

std::string MarkOf(const std::string& id) { return kPrefix + id; }

absl::StatusOr<std::vector<storage::Document>> Marks(storage::Store& store) { return store.List(kPartition, kPrefix, "", kMostMarks); }

// Unique, so that nobody takes one key for another of the same name.
std::string NewKeyId() { return absl::StrCat("k", absl::BytesToHexString(RandomBytes(4))); }

absl::Status NoKeys() {
  return status::Error(StatusCode::kFailedPrecondition, "PERSONAL_DATA_KEYS_MISSING",
                       "a store that is no file beside which a key can be kept needs keys for personal data: put a line such as "
                       "\"key-1 $(openssl rand -base64 32)\" in a file for --personal-data-key-file, or in PEILING_PERSONAL_DATA_KEYS");
}

// What to do about keys that are needed, wherever they are kept.
std::string WayOut(const std::string& file, const std::string& id) {
  return absl::StrCat(
      "put the right one back in ", file.empty() ? "PEILING_PERSONAL_DATA_KEYS" : file,
      " from where copies of keys are kept; if it is lost for good, so is what was sealed with it: then say so with a line \"", id,
      " lost\" beside a new key");
}

absl::Status FileLost(const std::string& file, const std::string& id) {
  return status::Error(
      StatusCode::kFailedPrecondition, "PERSONAL_DATA_KEYS_MISSING",
      absl::StrCat(file, " is missing, and personal data in the store are sealed with its key \"", id, "\": ", WayOut(file, id)),
      {{"file", file}, {"key", id}});
}

// Where the options say the keys are, in full; the rest of an Options that says nothing.
Options WithDefaults(Options options, const std::string& address) {
  if (options.keys.empty() && options.key_file.empty() && address.rfind(kSqlite, 0) == 0) {
    options.key_file = absl::StrCat(address.substr(sizeof(kSqlite) - 1), ".keys");
    options.make_key_file = true;
  }
  return options;
}

absl::StatusOr<std::string> KeyLinesOf(const Options& options, const std::vector<storage::Document>& marks) {
  if (!options.keys.empty()) return options.keys;
  if (options.key_file.empty()) return NoKeys();
  if (options.make_key_file && !std::filesystem::exists(options.key_file)) {
    if (!marks.empty()) return FileLost(options.key_file, Vault::KeyOf(marks.front().value));
    if (absl::Status made = EnsureKeyFile(options.key_file, Vault::NewKey(NewKeyId()) + "\n"); !made.ok()) return made;
  }
  return ReadKeyFile(options.key_file);
}

absl::Status Check(const Vault& vault, const storage::Document& mark, const std::string& file) {
  const std::string id = mark.key.substr(sizeof(kPrefix) - 1);
  if (vault.IsLost(id)) return absl::OkStatus();
  const absl::Status opened = vault.Unseal(mark.value, ContextOf(kPartition, mark.key)).status();
  if (opened.ok()) return opened;
  if (!vault.HasKey(id)) {
    return status::Error(
        StatusCode::kFailedPrecondition, "PERSONAL_DATA_KEY_MISSING",
        absl::StrCat("personal data in the store are sealed with key \"", id, "\", which is not among those given: ", WayOut(file, id)),
        {{"key", id}});
  }
  return status::Error(StatusCode::kFailedPrecondition, "PERSONAL_DATA_KEYS_INVALID",
                       absl::StrCat("key \"", id, "\" is another than the one of that name personal data in the store are sealed with: ",
                                    WayOut(file, id), ", which needs an id of its own"),
                       {{"key", id}});
}

// Of all marks there are.
absl::Status CheckAll(const Vault& vault, const std::vector<storage::Document>& marks, const std::string& file) {
  for (const storage::Document& mark : marks) {
    if (absl::Status good = Check(vault, mark, file); !good.ok()) return good;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Vault>> OpenVault(const Options& given, const std::string& address, storage::Store& store) {
  if (address == kMemory && given.keys.empty() && given.key_file.empty()) return Vault::Make(Vault::NewKey(NewKeyId()));
  const Options options = WithDefaults(given, address);
  auto marks = Marks(store);
  if (!marks.ok()) return marks.status();
  const absl::StatusOr<std::string> lines = KeyLinesOf(options, *marks);
  if (!lines.ok()) return lines.status();
  auto vault = Vault::Make(*lines);
  if (!vault.ok()) return vault;
  if (absl::Status good = CheckAll(**vault, *marks, options.key_file); !good.ok()) return good;
  if (absl::Status marked = MarkKey(store, **vault); !marked.ok()) return marked;
  // Another replica may have marked its key meanwhile, which must be the same one.
  marks = Marks(store);
  if (!marks.ok()) return marks.status();
  if (absl::Status good = CheckAll(**vault, *marks, options.key_file); !good.ok()) return good;
  return vault;
}

absl::Status MarkKey(storage::Store& store, const Vault& vault) {
  return storage::RetryRaces([&]() -> absl::Status {
    const std::string key = MarkOf(vault.key_id());
    const auto there = store.Get(kPartition, key);
    if (!there.ok()) return there.status();
    if (there->has_value()) return store.Confirm(kPartition);
    storage::Batch batch{.partition = kPartition};
    batch.writes.push_back({.key = key, .value = vault.Seal("", ContextOf(kPartition, key)), .expected_version = 0});
    return store.Commit(std::move(batch)).status();
  });
}

absl::Status UnmarkKey(storage::Store& store, const std::string& id) {
  storage::Batch batch{.partition = kPartition};
  batch.writes.push_back({.key = MarkOf(id), .value = std::nullopt});
  return store.Commit(std::move(batch)).status();
}

}  // namespace peiling::vault
