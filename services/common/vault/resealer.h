// Seals anew what is sealed with an old key, after a key was rotated, so that the old one can be left out.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/repeater/repeater.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"

namespace peiling::vault {

// Documents whose values are sealed whole, each bound to its place (ContextOf): those whose key begins with `keys`, in the partitions whose
// name begins with `partitions`.
struct SealedDocuments {
  std::string partitions;
  std::string keys;
  // Some may be from before there were keys, and are sealed as they are; else what is not sealed is damage.
  bool unsealed_before = false;
};

// What was found.
struct Resealed {
  // Sealed with another key than the first, or not at all, when it was looked at.
  int old = 0;
  // Of those the ones that cannot be opened, and stay as they are.
  int unreadable = 0;
  // Sealed with a key that is lost (Vault::IsGone); not among the old ones, since there is nothing to be done about them.
  int gone = 0;

  Resealed& operator+=(const Resealed& other);
};

// Seals those anew that need it (Vault::NeedsResealing) and are not gone. What somebody else changes meanwhile is left to who changes it.
// The new document is written with no event of the feed. What cannot be opened is passed over, and logged. Errors of the store: what was
// done before one stays done.
absl::StatusOr<Resealed> Reseal(storage::Store& store, const Vault& vault, const SealedDocuments& documents);

// Does so in a thread of its own: at start and every hour from then on, since other replicas may seal with the old keys for a while yet.
// Start and Stop from one thread.
class Resealer {
 public:
  // Seals anew a part of what the store has; all of them together look at everything that is sealed in it.
  using Pass = std::function<absl::StatusOr<Resealed>()>;

  // `store` and `vault` must outlive it, and what `passes` use.
  Resealer(storage::Store& store, const Vault& vault, std::vector<Pass> passes);

  // All passes; the first error. Once two runs in a row, an hour apart, found everything sealed with the first key already, the others are
  // not used any more: that is logged, and the store may be opened without them (key_marks.h). So it is with keys that are lost, once
  // nothing is left that they sealed.
  absl::Status Run();

  void Start() { repeater_.Start(); }
  // Waits for a run under way. May be called twice.
  void Stop() { repeater_.Stop(); }

 private:
  // Keys that are to be left out once nothing is sealed with them.
  struct Leaving {
    std::vector<std::string> ids;
    // What is logged of each then.
    const char* told_as;
    // Runs in a row that found nothing of them.
    int clean_runs = 0;
    bool told = false;
  };

  // After a run; `clean`: it looked at everything, and found nothing of these.
  absl::Status TellUnused(Leaving& keys, bool clean);
  void RunLogged();

  storage::Store& store_;
  const Vault& vault_;
  const std::vector<Pass> passes_;
  Leaving old_;
  Leaving lost_;
  Repeater repeater_{std::chrono::hours(1), [this] { RunLogged(); }};
};

}  // namespace peiling::vault
