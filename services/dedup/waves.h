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

  // Whoever set it up. NOT_FOUND/WAVE_NOT_FOUND for one that is not; the store's errors.
  absl::StatusOr<std::shared_ptr<WaveLedger>> Find(const std::string& wave);
  // Sets a wave up, new or known.
  absl::StatusOr<std::shared_ptr<WaveLedger>> Prepare(const WaveSource& source, const Resolve& resolve);

 private:
  storage::Store& store_;
  const Clock clock_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<WaveLedger>> ledgers_;
};

}  // namespace peiling::dedup
