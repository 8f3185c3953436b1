#include "services/common/vault/resealer.h"

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"
#include "services/common/vault/key_marks.h"

namespace peiling::vault {
namespace {

constexpr size_t kReadAtOnce = 100;
// Runs that find nothing before a key is said to be unused: a replica that has not been restarted may still seal with it after the first.
constexpr int kCleanRuns = 2;
// Documents that cannot be opened named in the log of one call.
constexpr int kMostLogged = 10;

// One call of Reseal.
class Resealing {
 public:
  Resealing(storage::Store& store, const Vault& vault, const SealedDocuments& documents)
      : store_(store), vault_(vault), documents_(documents) {}

  absl::Status Partition(const std::string& partition);
  const Resealed& found() const { return found_; }

 private:
  absl::Status One(const std::string& partition, const storage::Document& document);
  absl::StatusOr<std::string> Open(const std::string& value, const std::string& context) const {
    if (documents_.unsealed_before && !Vault::IsSealed(value)) return value;
    return vault_.Unseal(value, context);
  }

  storage::Store& store_;
  const Vault& vault_;
  const SealedDocuments& documents_;
  Resealed found_;
};

absl::Status Resealing::One(const std::string& partition, const storage::Document& document) {
  if (!vault_.NeedsResealing(document.value)) return absl::OkStatus();
  ++found_.old;
  const std::string context = ContextOf(partition, document.key);
  const auto opened = Open(document.value, context);
  if (!opened.ok()) {
    if (++found_.unreadable <= kMostLogged) {
      log::Error("a document cannot be opened to be sealed anew",
                 {{"partition", partition}, {"document", document.key}, {"why", std::string(opened.status().message())}});
    }
    return absl::OkStatus();
  }
  storage::Batch batch{.partition = partition};
  batch.writes.push_back({.key = document.key, .value = vault_.Seal(*opened, context), .expected_version = document.version});
  const absl::Status written = store_.Commit(std::move(batch)).status();
  return status::Reason(written) == "CONCURRENT_CHANGE" ? absl::OkStatus() : written;
}

absl::Status Resealing::Partition(const std::string& partition) {
  for (std::string after;;) {
    const auto documents = store_.List(partition, documents_.keys, after, kReadAtOnce);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      if (absl::Status done = One(partition, document); !done.ok()) return done;
    }
    if (documents->size() < kReadAtOnce) return absl::OkStatus();
    after = documents->back().key;
  }
}

}  // namespace

absl::StatusOr<Resealed> Reseal(storage::Store& store, const Vault& vault, const SealedDocuments& documents) {
  const auto partitions = store.Partitions(documents.partitions);
  if (!partitions.ok()) return partitions.status();
  Resealing resealing(store, vault, documents);
  for (const std::string& partition : *partitions) {
    if (absl::Status done = resealing.Partition(partition); !done.ok()) return done;
  }
  return resealing.found();
}

absl::Status Resealer::Run() {
  // Another replica may have found it unused before this one began to seal with it.
  absl::Status first = MarkKey(store_, vault_);
  Resealed found;
  for (const Pass& pass : passes_) {
    const auto done = pass();
    first.Update(done.status());
    if (!done.ok()) continue;
    found.old += done->old;
    found.unreadable += done->unreadable;
  }
  if (found.unreadable > 0) {
    log::Error("sealed documents cannot be opened, so the keys stay in use; each is named above, or in what was logged before it",
               {{"documents", absl::StrCat(found.unreadable)}});
  }
  clean_runs_ = first.ok() && found.old == 0 ? clean_runs_ + 1 : 0;
  if (first.ok() && clean_runs_ == kCleanRuns) first = TellUnused();
  return first;
}

absl::Status Resealer::TellUnused() {
  for (const std::string& id : vault_.key_ids()) {
    if (id == vault_.key_id()) continue;
    if (absl::Status unmarked = UnmarkKey(store_, id); !unmarked.ok()) return unmarked;
    log::Info("nothing in this store is sealed with an old key any more, so it may be left out; links that were made with it end then",
              {{"key", id}});
  }
  return absl::OkStatus();
}

void Resealer::RunLogged() {
  const absl::Status run = Run();
  if (!run.ok()) log::Warning("not everything could be sealed anew; it is tried again", {{"why", std::string(run.message())}});
}

}  // namespace peiling::vault
