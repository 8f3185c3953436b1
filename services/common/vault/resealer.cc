#include "services/common/vault/resealer.h"

#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::vault {
namespace {

constexpr size_t kReadAtOnce = 100;

// Whether it was sealed anew.
absl::StatusOr<bool> ResealOne(storage::Store& store, const Vault& vault, const std::string& partition, const storage::Document& document) {
  if (!vault.NeedsResealing(document.value)) return false;
  const std::string context = ContextOf(partition, document.key);
  const auto opened = vault.Unseal(document.value, context);
  if (!opened.ok()) return opened.status();
  storage::Batch batch{.partition = partition};
  batch.writes.push_back({.key = document.key, .value = vault.Seal(*opened, context), .expected_version = document.version});
  const absl::Status written = store.Commit(std::move(batch)).status();
  if (status::Reason(written) == "CONCURRENT_CHANGE") return false;
  if (!written.ok()) return written;
  return true;
}

absl::StatusOr<int> ResealPartition(storage::Store& store, const Vault& vault, const std::string& partition, const std::string& keys) {
  int resealed = 0;
  for (std::string after;;) {
    const auto documents = store.List(partition, keys, after, kReadAtOnce);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      const auto done = ResealOne(store, vault, partition, document);
      if (!done.ok()) return done.status();
      resealed += *done ? 1 : 0;
    }
    if (documents->size() < kReadAtOnce) return resealed;
    after = documents->back().key;
  }
}

}  // namespace

absl::StatusOr<int> Reseal(storage::Store& store, const Vault& vault, const SealedDocuments& documents) {
  const auto partitions = store.Partitions(documents.partitions);
  if (!partitions.ok()) return partitions.status();
  int resealed = 0;
  for (const std::string& partition : *partitions) {
    const auto done = ResealPartition(store, vault, partition, documents.keys);
    if (!done.ok()) return done.status();
    resealed += *done;
  }
  return resealed;
}

absl::Status Resealer::Run() {
  for (const Pass& pass : passes_) {
    if (absl::Status passed = pass(); !passed.ok()) return passed;
  }
  if (told_) return absl::OkStatus();
  told_ = true;
  for (const std::string& id : vault_.key_ids()) {
    if (id == vault_.key_id()) continue;
    log::Info("nothing in this store is sealed with an old key any more; what was derived from it (links) ends when it is left out",
              {{"key", id}});
  }
  return absl::OkStatus();
}

void Resealer::RunLogged() {
  const absl::Status run = Run();
  if (!run.ok()) log::Warning("not everything could be sealed anew; it is tried again", {{"why", std::string(run.message())}});
}

}  // namespace peiling::vault
