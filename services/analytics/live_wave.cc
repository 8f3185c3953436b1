#include "services/analytics/live_wave.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "services/common/feed/position.h"
#include "services/common/names/partitions.h"

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

bool LiveWave::Apply(const dedup::v1::RecordEvent& event) {
  const size_t fingerprint = std::hash<std::string>()(event.SerializeAsString());
  std::vector<PreparedRecord> prepared;
  survey::Assessment scratch;
  for (const auto& record : event.records()) prepared.push_back(index_.Prepare(record, scratch));
  const auto lock = LockForWriting();
  if (event.sequence() == position_.records()) return fingerprint == fingerprint_;
  if (event.sequence() < position_.records()) return true;
  for (const auto& code : event.removed_municipality_codes()) index_.Remove(code);
  for (const auto& record : prepared) index_.Put(record);
  for (const auto& decision : event.decisions()) fieldwork_.Put(decision);
  feed::Advance(position_, PositionAfter(event));
  fingerprint_ = fingerprint;
  ++version_;
  return true;
}

void LiveWave::SetCaughtUp() {
  caught_up_ = true;
  ++version_;
}

void LiveWave::Redefine(std::shared_ptr<const WaveDefinition> definition) {
  const auto lock = LockForWriting();
  definition_ = std::move(definition);
  ++version_;
}

}  // namespace peiling::analytics
