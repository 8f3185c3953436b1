// The waves dedup knows, by name.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/storage/store.h"
#include "services/dedup/wave_ledger.h"

namespace peiling::dedup {

// Thread-safe.
class Waves {
 public:
  // The store must outlive it.
  Waves(storage::Store& store, Clock clock) : store_(store), clock_(std::move(clock)) {}

  // Finds the waves that are in the store. Until then there are none. The store's errors.
  absl::Status Load();
  // NOT_FOUND/WAVE_NOT_FOUND for one that is not set up.
  absl::StatusOr<std::shared_ptr<WaveLedger>> Find(const std::string& wave) const;
  // Sets a wave up, new or known.
  absl::StatusOr<std::shared_ptr<WaveLedger>> Prepare(const WaveSource& source, const Resolve& resolve);

 private:
  storage::Store& store_;
  const Clock clock_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<WaveLedger>> ledgers_;
};

}  // namespace peiling::dedup
