#include "services/dedup/waves.h"

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::dedup {

absl::StatusOr<std::shared_ptr<WaveLedger>> Waves::Find(const std::string& wave) {
  {
    std::lock_guard lock(mutex_);
    const auto found = ledgers_.find(wave);
    if (found != ledgers_.end()) return found->second;
  }
  // Another replica may have set it up, or this one in an earlier life.
  auto ledger = std::make_shared<WaveLedger>(store_, wave, clock_);
  auto loaded = ledger->Load();
  if (absl::IsInvalidArgument(loaded.status())) {
    log::Error("stored questions do not compile any more; the wave waits for its follower to set it up",
               {{"wave", wave}, {"reason", status::Reason(loaded.status())}});
    loaded = false;
  }
  if (!loaded.ok()) return loaded.status();
  if (!*loaded) return status::Error(absl::StatusCode::kNotFound, "WAVE_NOT_FOUND", absl::StrCat("no ", wave), {{"wave", wave}});
  std::lock_guard lock(mutex_);
  return ledgers_.try_emplace(wave, std::move(ledger)).first->second;
}

absl::StatusOr<std::shared_ptr<WaveLedger>> Waves::Prepare(const WaveSource& source, const Resolve& resolve) {
  auto found = Find(source.wave.name());
  if (!found.ok() && !absl::IsNotFound(found.status())) return found.status();
  auto ledger = found.ok() ? *std::move(found) : std::make_shared<WaveLedger>(store_, source.wave.name(), clock_);
  if (absl::Status prepared = ledger->Prepare(source, resolve); !prepared.ok()) return prepared;
  std::lock_guard lock(mutex_);
  return ledgers_.try_emplace(source.wave.name(), std::move(ledger)).first->second;
}

}  // namespace peiling::dedup
