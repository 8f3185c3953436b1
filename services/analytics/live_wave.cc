#include "services/analytics/live_wave.h"

#include <string>
#include <utility>
#include <vector>

#include "services/common/feed/position.h"
#include "services/common/names/partitions.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace {

// What is counted once an event is in. A partition there cannot be is passed over.
survey::v1::FeedPosition PositionAfter(const dedup::v1::RecordEvent& event) {
  survey::v1::FeedPosition position;
  position.set_records(event.sequence());
  if (event.partition() >= 0 && event.partition() < names::kMaxPartitions) {
    feed::SetSubmissions(position, event.partition(), event.submission_sequence());
  }
  return position;
}

std::string FingerprintOf(const dedup::v1::RecordEvent& event) { return Sha256(proto::CanonicalBytes(event)); }

}  // namespace

LiveWave::LiveWave(std::shared_ptr<const WaveDefinition> definition, absl::TimeZone zone)
    : definition_(std::move(definition)), index_(definition_->questionnaire, definition_->frame), fieldwork_(definition_->frame, zone) {}

LiveWave::View::View(const LiveWave& wave) : wave_(wave) {
  const std::lock_guard<std::mutex> pass(wave.turnstile_);
  lock_ = std::shared_lock<std::shared_mutex>(wave.mutex_);
}

std::unique_lock<std::shared_mutex> LiveWave::LockForWriting() {
  const std::lock_guard<std::mutex> pass(turnstile_);
  return std::unique_lock<std::shared_mutex>(mutex_);
}

bool LiveWave::Apply(dedup::v1::RecordEvent event) {
  std::vector<PreparedRecord> prepared;
  survey::Assessment scratch;
  for (const auto& record : event.records()) prepared.push_back(index_.Prepare(record, scratch));
  const std::lock_guard<std::mutex> writer(writer_);
  if (event.sequence() == position_.records()) return FingerprintOf(event) == Fingerprint();
  if (event.sequence() < position_.records()) return true;
  const auto lock = LockForWriting();
  for (const auto& code : event.removed_municipality_codes()) index_.Remove(code);
  for (const auto& record : prepared) index_.Put(record);
  for (const auto& decision : event.decisions()) fieldwork_.Put(decision);
  feed::Advance(position_, PositionAfter(event));
  last_event_ = std::move(event);
  ++version_;
  return true;
}

void LiveWave::SetCaughtUp() {
  caught_up_ = true;
  ++version_;
}

snapshot::Header LiveWave::Wanted(const WaveDefinition& definition) {
  snapshot::Header header;
  header.set_format(Snapshot::kFormat);
  header.set_questionnaire_fingerprint(definition.wave.questionnaire_fingerprint());
  header.set_frame_fingerprint(definition.frame->fingerprint());
  return header;
}

// Made when it is wanted: for every event it would cost as much as counting it.
std::string LiveWave::Fingerprint() const { return last_event_.sequence() == 0 ? saved_fingerprint_ : FingerprintOf(last_event_); }

snapshot::Header LiveWave::HeaderLocked() const {
  snapshot::Header header = Wanted(*definition_);
  *header.mutable_position() = position_;
  header.set_last_event_sha256(Fingerprint());
  return header;
}

snapshot::Header LiveWave::Header() const {
  const std::lock_guard<std::mutex> writer(writer_);
  return HeaderLocked();
}

Snapshot LiveWave::Save() const {
  const std::lock_guard<std::mutex> writer(writer_);
  PartWriter parts;
  index_.Save(parts);
  fieldwork_.Save(parts);
  return {HeaderLocked(), parts.Finish()};
}

absl::StatusOr<std::shared_ptr<LiveWave>> LiveWave::Restore(std::shared_ptr<const WaveDefinition> definition, absl::TimeZone zone,
                                                            const Snapshot& snapshot) {
  const auto fits = Fits(snapshot.header, Wanted(*definition));
  if (!fits.ok()) return fits;
  auto wave = std::make_shared<LiveWave>(std::move(definition), zone);
  const auto damaged = [] { return status::Error(absl::StatusCode::kDataLoss, "SNAPSHOT_DAMAGED", "the snapshot does not hold together"); };
  snapshot::Part part;
  for (const auto& bytes : snapshot.parts) {
    if (!part.ParseFromString(bytes) || !wave->index_.Load(part) || !wave->fieldwork_.Load(part)) return damaged();
  }
  if (!wave->index_.HoldsTogether()) return damaged();
  wave->position_ = snapshot.header.position();
  wave->saved_fingerprint_ = snapshot.header.last_event_sha256();
  return wave;
}

void LiveWave::Redefine(std::shared_ptr<const WaveDefinition> definition) {
  const std::lock_guard<std::mutex> writer(writer_);
  const auto lock = LockForWriting();
  definition_ = std::move(definition);
  ++version_;
}

}  // namespace peiling::analytics
