#include "services/intake/wave_changes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/common/status/errors.h"
#include "services/common/storage/etag.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/intake/catalog.h"
#include "services/intake/wave_times.h"

namespace peiling::intake {
namespace {

// Changes read at a time.
constexpr size_t kListLimit = 1000;
// Longest a wave is extended to last: beyond that it is a slip of the pen, and personal data would be kept as long.
constexpr int kLongestMonths = 24;
// Of a document erasure/….
constexpr char kDone[] = "done";

// Times are whole minutes; what begins or ends now does so with the minute that is running.
absl::Time ThisMinute(absl::Time now) { return absl::FromUnixSeconds(absl::ToUnixSeconds(now) / 60 * 60); }

absl::Status Refuse(std::string_view reason, std::string_view message, const v1::Wave& wave) {
  return status::Error(absl::StatusCode::kFailedPrecondition, reason, message, {{"wave", wave.name()}});
}

// One change that somebody asks for.
class WaveEdit {
 public:
  template <typename Request>
  WaveEdit(storage::Store& store, const Request& request, const std::string& caller, absl::Time now)
      : store_(store), request_id_(request.request_id()), digest_(storage::DigestOf(request)), caller_(caller), now_(now) {}

  // Reads the wave. True when the request was answered before, with wave().
  absl::StatusOr<bool> Begin(const std::string& name, const std::string& etag);
  // What it is changed by must be OK with, and change, wave().
  absl::StatusOr<v1::Wave> Commit(v1::WaveChangeKind kind, const std::string& reason);

  // As it is stored.
  v1::Wave& wave() { return wave_; }
  v1::WaveState state() const { return StateAt(wave_, now_); }
  // What its document says of its times.
  const v1::Wave& scheduled() const { return scheduled_; }
  // Whether its personal answers are being, or are to be, erased.
  bool erased() const { return erasing_ || !CheckNotErased(wave_, now_).ok(); }

 private:
  storage::Store& store_;
  const std::string request_id_;
  const std::string digest_;
  const std::string caller_;
  const absl::Time now_;
  v1::Wave wave_;
  uint64_t version_ = 0;
  v1::Wave scheduled_;
  std::vector<v1::WaveChange> changes_;
  bool erasing_ = false;
};

absl::StatusOr<bool> WaveEdit::Begin(const std::string& name, const std::string& etag) {
  const auto answered = storage::FindReceipt(store_, Catalog::kPartition, request_id_, digest_, wave_);
  if (!answered.ok() || *answered) return answered;
  auto documents = store_.GetMany(Catalog::kPartition, {WaveKey(name), ScheduledKey(name), ErasureKey(name)});
  if (!documents.ok()) return documents.status();
  const std::optional<storage::Document>& document = documents->front();
  if (!document) return WaveNotFound(name);
  auto wave = storage::Parse<v1::Wave>(*document);
  if (!wave.ok()) return wave.status();
  wave_ = *std::move(wave);
  version_ = document->version;
  if (const std::optional<storage::Document>& said = (*documents)[1]) {
    auto scheduled = storage::Parse<v1::Wave>(*said);
    if (!scheduled.ok()) return scheduled.status();
    scheduled_ = *std::move(scheduled);
  }
  erasing_ = documents->back().has_value();
  if (absl::Status status = storage::CheckEtag(etag, name, Etag(version_)); !status.ok()) return status;
  if (state() == v1::WAVE_STATE_UNSCHEDULED) {
    return Refuse("WAVE_UNSCHEDULED", "the wave has no times of its own; give it some in its document", wave_);
  }
  auto changes = ReadWaveChanges(store_, name);
  if (!changes.ok()) return changes.status();
  changes_ = *std::move(changes);
  return false;
}

absl::StatusOr<v1::Wave> WaveEdit::Commit(v1::WaveChangeKind kind, const std::string& reason) {
  v1::WaveChange change = NextChange(changes_, kind, wave_, now_, caller_);
  change.set_reason(reason);

  v1::Wave answer = wave_;
  answer.set_etag(Etag(version_ + 1));
  FillIn(answer, now_);
  v1::WaveEvent event;
  *event.mutable_wave() = answer;

  storage::Batch batch{.partition = Catalog::kPartition, .events = {event.SerializeAsString()}};
  batch.writes.push_back({.key = WaveKey(wave_.name()), .value = proto::CanonicalBytes(wave_), .expected_version = version_});
  batch.writes.push_back({.key = WaveChangeKey(wave_.name(), change.number()), .value = change.SerializeAsString(), .expected_version = 0});
  batch.writes.push_back(storage::ReceiptWrite(request_id_, digest_, answer));
  batch.expectations.emplace_back(ErasureKey(wave_.name()), 0);
  if (absl::Status status = store_.Commit(std::move(batch)).status(); !status.ok()) return status;
  return answer;
}

}  // namespace

std::string WaveChangesPrefix(const std::string& wave) { return absl::StrCat("wave-change/", wave, "/"); }
std::string WaveChangeKey(const std::string& wave, int64_t number) {
  return absl::StrCat(WaveChangesPrefix(wave), absl::StrFormat("%09d", number));
}
std::string ScheduledKey(const std::string& wave) { return absl::StrCat("scheduled/", wave); }
std::string ErasureKey(const std::string& wave) { return absl::StrCat("erasure/", wave); }

absl::StatusOr<std::vector<v1::WaveChange>> ReadWaveChanges(storage::Store& store, const std::string& wave) {
  std::vector<v1::WaveChange> changes;
  for (std::string after;;) {
    auto documents = store.List(Catalog::kPartition, WaveChangesPrefix(wave), after, kListLimit);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      auto change = storage::Parse<v1::WaveChange>(document);
      if (!change.ok()) return change.status();
      changes.push_back(*std::move(change));
    }
    if (documents->size() < kListLimit) return changes;
    after = documents->back().key;
  }
}

v1::Wave TimesOf(const v1::Wave& wave) {
  v1::Wave times;
  SetTimes(wave, times);
  return times;
}

void SetTimes(const v1::Wave& times, v1::Wave& wave) {
  wave.clear_opens_at();
  wave.clear_closes_at();
  wave.clear_grace_period();
  if (times.has_opens_at()) *wave.mutable_opens_at() = times.opens_at();
  if (times.has_closes_at()) *wave.mutable_closes_at() = times.closes_at();
  if (times.has_grace_period()) *wave.mutable_grace_period() = times.grace_period();
}

v1::Wave MergeTimes(const v1::Wave& before, const v1::Wave& document, const v1::Wave& now) {
  const auto differ = [](const auto& one, const auto& other) { return one.SerializeAsString() != other.SerializeAsString(); };
  // Who has the say about each. Closing a wave took its grace away, and calling it off its beginning: with a new end they come back.
  const bool closes = differ(before.closes_at(), document.closes_at());
  const bool grace = closes || differ(before.grace_period(), document.grace_period());
  const bool called_off = !differ(now.opens_at(), now.closes_at());
  const bool opens = (closes && called_off) || differ(before.opens_at(), document.opens_at());
  v1::Wave merged;
  if (const v1::Wave& from = opens ? document : now; from.has_opens_at()) *merged.mutable_opens_at() = from.opens_at();
  if (const v1::Wave& from = closes ? document : now; from.has_closes_at()) *merged.mutable_closes_at() = from.closes_at();
  if (const v1::Wave& from = grace ? document : now; from.has_grace_period()) *merged.mutable_grace_period() = from.grace_period();
  return merged;
}

v1::WaveChange NextChange(const std::vector<v1::WaveChange>& changes, v1::WaveChangeKind kind, const v1::Wave& wave, absl::Time now,
                          const std::string& caller) {
  v1::WaveChange change;
  change.set_number(changes.empty() ? 1 : changes.back().number() + 1);
  *change.mutable_changed_at() = calendar::ToProto(now);
  change.set_changed_by(caller);
  change.set_kind(kind);
  *change.mutable_times() = TimesOf(wave);
  return change;
}

absl::StatusOr<v1::Wave> OpenWave(storage::Store& store, const v1::OpenWaveRequest& request, const std::string& caller, absl::Time now) {
  WaveEdit edit(store, request, caller, now);
  const absl::StatusOr<bool> answered = edit.Begin(request.name(), request.etag());
  if (!answered.ok()) return answered.status();
  v1::Wave& wave = edit.wave();
  if (*answered) return std::move(wave);
  if (edit.state() == v1::WAVE_STATE_OPEN) return Refuse("WAVE_OPEN", "the wave is open", wave);
  if (edit.state() != v1::WAVE_STATE_PLANNED) {
    return Refuse("WAVE_CLOSED", "the wave has closed; extend it to open it again", wave);
  }
  *wave.mutable_opens_at() = calendar::ToProto(ThisMinute(now));
  return edit.Commit(v1::WAVE_CHANGE_KIND_OPENED, request.reason());
}

absl::StatusOr<v1::Wave> CloseWave(storage::Store& store, const v1::CloseWaveRequest& request, const std::string& caller, absl::Time now) {
  WaveEdit edit(store, request, caller, now);
  const absl::StatusOr<bool> answered = edit.Begin(request.name(), request.etag());
  if (!answered.ok()) return answered.status();
  v1::Wave& wave = edit.wave();
  if (*answered) return std::move(wave);
  if (edit.state() == v1::WAVE_STATE_CLOSED) return Refuse("WAVE_CLOSED", "the wave has closed before", wave);
  const absl::Time closes = std::min(calendar::FromProto(wave.closes_at()), ThisMinute(now));
  *wave.mutable_closes_at() = calendar::ToProto(closes);
  // One that is called off before it began.
  if (calendar::FromProto(wave.opens_at()) > closes) *wave.mutable_opens_at() = wave.closes_at();
  wave.clear_grace_period();
  return edit.Commit(v1::WAVE_CHANGE_KIND_CLOSED, request.reason());
}

absl::StatusOr<ErasureStage> BeginErasure(storage::Store& store, const std::string& wave, absl::Time now) {
  ErasureStage stage = ErasureStage::kNotDue;
  absl::Status status = storage::RetryRaces([&]() -> absl::Status {
    auto documents = store.GetMany(Catalog::kPartition, {WaveKey(wave), InUseKey(wave), ErasureKey(wave)});
    if (!documents.ok()) return documents.status();
    const std::optional<storage::Document>& document = documents->front();
    const std::optional<storage::Document>& begun = documents->back();
    if (!document) return WaveNotFound(wave);
    // Of one that never took in anything there is nothing to erase, so its times need not stay as they are.
    if (!(*documents)[1]) return absl::OkStatus();
    if (begun) {
      stage = begun->value == kDone ? ErasureStage::kDone : ErasureStage::kUnderWay;
      return absl::OkStatus();
    }
    auto read = storage::Parse<v1::Wave>(*document);
    if (!read.ok()) return read.status();
    const std::optional<absl::Time> due = ErasedAt(*read);
    if (!due || now < *due) return absl::OkStatus();
    storage::Batch batch{.partition = Catalog::kPartition};
    batch.writes.push_back({.key = ErasureKey(wave), .value = "", .expected_version = 0});
    batch.expectations.emplace_back(WaveKey(wave), document->version);
    stage = ErasureStage::kUnderWay;
    return store.Commit(std::move(batch)).status();
  });
  if (!status.ok()) return status;
  return stage;
}

absl::Status FinishErasure(storage::Store& store, const std::string& wave, absl::Time now) {
  return storage::RetryRaces([&]() -> absl::Status {
    auto documents = store.GetMany(Catalog::kPartition, {WaveKey(wave), ErasureKey(wave)});
    if (!documents.ok()) return documents.status();
    const std::optional<storage::Document>& document = documents->front();
    const std::optional<storage::Document>& begun = documents->back();
    if (!document || !begun) return WaveNotFound(wave);
    if (begun->value == kDone) return absl::OkStatus();
    auto read = storage::Parse<v1::Wave>(*document);
    if (!read.ok()) return read.status();
    auto changes = ReadWaveChanges(store, wave);
    if (!changes.ok()) return changes.status();
    const v1::WaveChange change = NextChange(*changes, v1::WAVE_CHANGE_KIND_ERASED, *read, now, "");
    storage::Batch batch{.partition = Catalog::kPartition};
    batch.writes.push_back({.key = ErasureKey(wave), .value = kDone, .expected_version = begun->version});
    batch.writes.push_back({.key = WaveChangeKey(wave, change.number()), .value = change.SerializeAsString(), .expected_version = 0});
    return store.Commit(std::move(batch)).status();
  });
}

absl::StatusOr<v1::Wave> ExtendWave(storage::Store& store, const v1::ExtendWaveRequest& request, const std::string& caller,
                                    absl::Time now) {
  WaveEdit edit(store, request, caller, now);
  const absl::StatusOr<bool> answered = edit.Begin(request.name(), request.etag());
  if (!answered.ok()) return answered.status();
  v1::Wave& wave = edit.wave();
  if (*answered) return std::move(wave);
  if (edit.erased()) {
    return Refuse("PERSONAL_DATA_ERASED", "the personal data of the wave are erased; it cannot go on", wave);
  }
  status::BadRequest bad;
  const absl::Time closes = calendar::FromProto(request.closes_at());
  if (closes <= calendar::FromProto(wave.closes_at())) bad.Add("closes_at", "is not after the present one");
  if (closes <= now) bad.Add("closes_at", "lies in the past");
  if (closes > calendar::AddMonths(calendar::FromProto(wave.opens_at()), kLongestMonths)) {
    bad.Add("closes_at", absl::StrCat("is more than ", kLongestMonths, " months after the wave opens"));
  }
  if (absl::Status status = bad.ToStatus(); !status.ok()) return status;
  *wave.mutable_closes_at() = request.closes_at();
  // Closing it took its grace away.
  if (!wave.has_grace_period() && edit.scheduled().has_grace_period()) *wave.mutable_grace_period() = edit.scheduled().grace_period();
  *wave.mutable_extended_at() = calendar::ToProto(now);
  wave.set_extensions(wave.extensions() + 1);
  return edit.Commit(v1::WAVE_CHANGE_KIND_EXTENDED, request.reason());
}

}  // namespace peiling::intake
