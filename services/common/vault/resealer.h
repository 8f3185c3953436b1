// Seals anew what is sealed with an old key, after a key was rotated, so that the old one can be thrown away.
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
};

// Seals those anew that need it (Vault::NeedsResealing); how many did. What somebody else changes meanwhile is left to who changes it. The
// new document is written with no event of the feed. Errors of the store and the vault: what was done before one stays done.
absl::StatusOr<int> Reseal(storage::Store& store, const Vault& vault, const SealedDocuments& documents);

// Does so in a thread of its own: at start and every hour from then on, since other replicas may have the old keys for a while yet. Start
// and Stop from one thread.
class Resealer {
 public:
  // One of the things there are to seal anew; again after an error.
  using Pass = std::function<absl::Status()>;

  // `vault` must outlive it, and what `passes` use.
  Resealer(const Vault& vault, std::vector<Pass> passes) : vault_(vault), passes_(std::move(passes)) {}

  // All passes, up to the first error. After that without one, nothing is sealed with another key than the first: logged for each of those,
  // once.
  absl::Status Run();

  void Start() { repeater_.Start(); }
  // Waits for a run under way. May be called twice.
  void Stop() { repeater_.Stop(); }

 private:
  void RunLogged();

  const Vault& vault_;
  const std::vector<Pass> passes_;
  bool told_ = false;
  Repeater repeater_{std::chrono::hours(1), [this] { RunLogged(); }};
};

}  // namespace peiling::vault
