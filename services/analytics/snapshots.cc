#include "services/analytics/snapshots.h"

#include <algorithm>
#include <random>
#include <utility>

#include "services/analytics/index_metrics.h"
#include "services/common/log/log.h"

namespace peiling::analytics {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kLastSave{10};
// At most a twentieth of the time is spent on saving.
constexpr int kPauses = 20;

// The same feed, up to the same event, of the same wave.
bool SameContent(const snapshot::Header& a, const snapshot::Header& b) {
  return Fits(a, b).ok() && a.position().records() == b.position().records() && a.last_event_sha256() == b.last_event_sha256();
}

// A tenth more or less, so that replicas started together do not go on together.
milliseconds Spread(milliseconds time) {
  thread_local std::minstd_rand random(std::random_device{}());
  return time * std::uniform_int_distribution<int>(90, 110)(random) / 100;
}

milliseconds Since(steady_clock::time_point begun) { return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun); }

}  // namespace

absl::StatusOr<std::unique_ptr<Snapshots>> Snapshots::Make(OpenStore open, std::shared_ptr<LiveWaves> waves, milliseconds between) {
  std::unique_ptr<Snapshots> snapshots(new Snapshots(std::move(open), std::move(waves), between));
  const auto opened = snapshots->Open();
  if (absl::IsInvalidArgument(opened) || absl::IsFailedPrecondition(opened)) return opened;
  if (!opened.ok()) log::Warning("the store of snapshots is not there; going on without", {{"error", std::string(opened.message())}});
  return snapshots;
}

Snapshots::Snapshots(OpenStore open, std::shared_ptr<LiveWaves> waves, milliseconds between)
    : open_(std::move(open)), waves_(std::move(waves)), between_(between) {}

Snapshots::~Snapshots() { Stop(); }

absl::Status Snapshots::Open() {
  const std::lock_guard lock(opening_);
  if (snapshots_ != nullptr) return absl::OkStatus();
  auto store = open_();
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  snapshots_ = std::make_unique<SnapshotStore>(*store_);
  return absl::OkStatus();
}

void Snapshots::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Snapshots::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    give_up_ = std::min(give_up_, steady_clock::now() + kLastSave);
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Snapshots::Run() {
  milliseconds pause = between_;
  for (bool last = false; !last;) {
    {
      std::unique_lock lock(mutex_);
      last = wake_.wait_for(lock, Spread(pause), [this] { return stopping_; });
    }
    const auto begun = steady_clock::now();
    SaveAll();
    pause = std::max(between_, Since(begun) * kPauses);
  }
}

bool Snapshots::MayGoOn() {
  const std::lock_guard lock(mutex_);
  return steady_clock::now() < give_up_;
}

bool Snapshots::IsKnown(const std::string& wave, uint64_t claim) {
  const std::lock_guard lock(mutex_);
  const auto known = claims_.try_emplace(wave, claim).first;
  return std::exchange(known->second, claim) == claim;
}

void Snapshots::SaveAll() {
  const auto opened = Open();
  for (const auto& wave : waves_->CaughtUp()) {
    const std::string name = wave->Read().definition().wave.name();
    const auto saved = opened.ok() ? Save(name, *wave) : opened;
    if (saved.ok() || absl::IsAborted(saved)) {
      RecordSnapshot(name);
      continue;
    }
    RecordSnapshotFailure();
    log::Warning("cannot save the index", {{"wave", name}, {"error", std::string(saved.message())}});
    // The others would wait for the same store in vain.
    if (absl::IsUnavailable(saved)) return;
  }
}

absl::Status Snapshots::Save(const std::string& name, const LiveWave& wave) {
  const auto stored = snapshots_->Look(name);
  if (!stored.ok()) return stored.status();
  if (stored->header && SameContent(*stored->header, wave.Header())) return absl::OkStatus();
  if (!IsKnown(name, stored->claim)) return absl::OkStatus();

  const auto begun = steady_clock::now();
  auto snapshot = wave.Save();
  const auto taken = Since(begun);
  const uint64_t records = snapshot.header.position().records();
  const size_t parts = snapshot.parts.size();
  const auto written = snapshots_->Write(name, *stored, std::move(snapshot), [this] { return MayGoOn(); });
  if (!written.ok()) return written;
  IsKnown(name, stored->claim + 1);
  log::Info("index is saved", {{"wave", name},
                               {"sequence", std::to_string(records)},
                               {"parts", std::to_string(parts)},
                               {"taken_ms", std::to_string(taken.count())},
                               {"written_ms", std::to_string(Since(begun).count())}});
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<LiveWave>> Snapshots::Read(std::shared_ptr<const WaveDefinition> definition, absl::TimeZone zone) {
  const auto opened = Open();
  if (!opened.ok()) return opened;
  const std::string& name = definition->wave.name();
  const auto stored = snapshots_->Look(name);
  if (!stored.ok()) return stored.status();
  IsKnown(name, stored->claim);
  const auto snapshot = snapshots_->Read(name, LiveWave::Wanted(*definition));
  if (!snapshot.ok()) return snapshot.status();
  if (!*snapshot) return nullptr;
  return LiveWave::Restore(std::move(definition), zone, **snapshot);
}

std::shared_ptr<LiveWave> Snapshots::Load(std::shared_ptr<const WaveDefinition> definition, absl::TimeZone zone) {
  const std::string name = definition->wave.name();
  const auto begun = steady_clock::now();
  auto wave = Read(std::move(definition), zone);
  if (!wave.ok()) {
    // One of another questionnaire, frame or program is nobody's failure.
    if (!absl::IsFailedPrecondition(wave.status())) RecordSnapshotFailure();
    log::Warning("cannot go on from a snapshot; counting anew", {{"wave", name}, {"error", std::string(wave.status().message())}});
    return nullptr;
  }
  if (*wave != nullptr) {
    log::Info("going on from a snapshot", {{"wave", name},
                                           {"sequence", std::to_string((*wave)->Read().position().records())},
                                           {"loaded_ms", std::to_string(Since(begun).count())}});
  }
  return *std::move(wave);
}

}  // namespace peiling::analytics
