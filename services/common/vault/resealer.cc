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
  if (vault_.IsGone(document.value)) {
    ++found_.gone;
    return absl::OkStatus();
  }
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

// Of all but the first, which seals.
std::vector<std::string> OldKeys(const Vault& vault) {
  std::vector<std::string> ids = vault.key_ids();
  ids.erase(ids.begin());
  return ids;
}

}  // namespace

Resealed& Resealed::operator+=(const Resealed& other) {
  old += other.old;
  unreadable += other.unreadable;
  gone += other.gone;
  return *this;
}

absl::StatusOr<Resealed> Reseal(storage::Store& store, const Vault& vault, const SealedDocuments& documents) {
  const auto partitions = store.Partitions(documents.partitions);
  if (!partitions.ok()) return partitions.status();
  Resealing resealing(store, vault, documents);
  for (const std::string& partition : *partitions) {
    if (absl::Status done = resealing.Partition(partition); !done.ok()) return done;
  }
  return resealing.found();
}

Resealer::Resealer(storage::Store& store, const Vault& vault, std::vector<Pass> passes)
    : store_(store),
      vault_(vault),
      passes_(std::move(passes)),
      old_{.ids = OldKeys(vault),
           .told_as =
               "nothing in this store is sealed with an old key any more, so it may be left out; links that were made with it end then"},
      lost_{.ids = vault.lost_ids(),
            .told_as =
                "nothing is left in this store that was sealed with a key that is lost, so the line that says it is may be left out"} {}

absl::Status Resealer::Run() {
  // Another replica may have found it unused before this one began to seal with it.
  absl::Status first = MarkKey(store_, vault_);
  Resealed found;
  for (const Pass& pass : passes_) {
    const auto done = pass();
    first.Update(done.status());
    if (done.ok()) found += *done;
  }
  if (found.unreadable > 0) {
    log::Error("sealed documents cannot be opened, so the keys stay in use; each is named above, or in what was logged before it",
               {{"documents", absl::StrCat(found.unreadable)}});
  }
  const bool whole = first.ok();
  first.Update(TellUnused(old_, whole && found.old == 0));
  first.Update(TellUnused(lost_, whole && found.gone == 0));
  return first;
}

absl::Status Resealer::TellUnused(Leaving& keys, bool clean) {
  keys.clean_runs = clean ? keys.clean_runs + 1 : 0;
  keys.told = keys.told && clean;
  if (keys.clean_runs < kCleanRuns || keys.told) return absl::OkStatus();
  for (const std::string& id : keys.ids) {
    if (absl::Status unmarked = UnmarkKey(store_, id); !unmarked.ok()) return unmarked;
    log::Info(keys.told_as, {{"key", id}});
  }
  keys.told = true;
  return absl::OkStatus();
}

void Resealer::RunLogged() {
  const absl::Status run = Run();
  if (!run.ok()) log::Warning("not everything could be sealed anew; it is tried again", {{"why", std::string(run.message())}});
}

}  // namespace peiling::vault
