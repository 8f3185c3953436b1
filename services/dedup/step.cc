#include "services/dedup/step.h"

#include <utility>

#include "peiling/survey/v1/feed.pb.h"
#include "services/common/feed/feed_metrics.h"
#include "services/common/names/resource_names.h"
#include "services/dedup/documents.h"
#include "services/dedup/settlement.h"

namespace peiling::dedup {
namespace {

// A record event stays below gRPC's usual limit of 4 MiB for a message.
constexpr size_t kMaxEventBytes = 2 << 20;
constexpr size_t kListPage = 1000;

// What one step changed as events that fit in a message; nearly always one.
std::vector<v1::RecordEvent> Parts(v1::RecordEvent& changes) {
  std::vector<v1::RecordEvent> parts(1);
  size_t bytes = 0;
  const auto part_for = [&](const google::protobuf::Message& item) -> v1::RecordEvent& {
    const size_t size = item.ByteSizeLong();
    if (bytes > 0 && bytes + size > kMaxEventBytes) {
      parts.emplace_back();
      bytes = 0;
    }
    bytes += size;
    return parts.back();
  };
  *parts.back().mutable_removed_municipality_codes() = std::move(*changes.mutable_removed_municipality_codes());
  for (v1::Record& record : *changes.mutable_records()) *part_for(record).add_records() = std::move(record);
  for (v1::Decision& decision : *changes.mutable_decisions()) *part_for(decision).add_decisions() = std::move(decision);
  return parts;
}

absl::StatusOr<std::shared_ptr<const Rulings>> ReadRulings(storage::Store& store, const std::string& wave) {
  std::vector<v1::Ruling> rulings;
  std::string after;
  while (true) {
    auto page = store.List(wave, documents::kRulings, after, kListPage);
    if (!page.ok()) return page.status();
    for (const storage::Document& document : *page) {
      if (absl::Status parsed = documents::Parse(document.key, document.value, rulings.emplace_back()); !parsed.ok()) return parsed;
      after = document.key;
    }
    if (page->size() < kListPage) return std::make_shared<const Rulings>(std::move(rulings));
  }
}

// Brings `known` up to what the workspace has read. One that is made while they are read again makes the step's commit fail, and the next
// step read again.
absl::Status Refresh(storage::Store& store, const std::string& wave, const Workspace& work, KnownRulings& known) {
  const uint64_t version = work.VersionOf(documents::kLastRuling);
  const std::optional<std::string>& last = work.Before(documents::kLastRuling);
  if (known.all != nullptr && known.version == version && known.last == last) return absl::OkStatus();
  auto all = ReadRulings(store, wave);
  if (!all.ok()) return all.status();
  known = {.version = version, .last = last, .all = *std::move(all)};
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Step> Step::Begin(storage::Store& store, const std::string& wave, int partition, std::vector<std::string> keys,
                                 KnownRulings& known) {
  const std::string position_key = documents::PartitionKey(documents::kPositions, partition);
  const std::string report_key = documents::PartitionKey(documents::kReports, partition);
  Step step{.store = store, .wave = wave, .partition = partition, .work = Workspace(store, wave)};
  keys.insert(keys.end(), {position_key, report_key, documents::kLastRuling});
  if (absl::Status loaded = step.work.Load(keys); !loaded.ok()) return loaded;
  auto position = step.work.Get<survey::v1::FeedPosition>(position_key);
  if (!position.ok()) return position.status();
  auto report = step.work.Get<v1::CleaningReport>(report_key);
  if (!report.ok()) return report.status();
  if (absl::Status refreshed = Refresh(store, wave, step.work, known); !refreshed.ok()) return refreshed;
  step.rulings = known.all;
  step.taken_in_before = step.taken_in = position->submissions();
  step.report = *std::move(report);
  return step;
}

void Step::Take(const intake::v1::SubmissionEvent& event, const registry::v1::Resolution& resolution) {
  // Which of two versions of a response is the later one must be seen from what is kept.
  intake::v1::Response response = event.response();
  response.set_sequence(event.sequence());
  const std::string id = names::LastId(response.name());
  work.Put(documents::KeyOf(documents::kResponses, response.name()), response);
  Resolve(id, resolution);
}

void Step::Resolve(const std::string& response_id, const registry::v1::Resolution& resolution) {
  work.Put(documents::kResolutions + response_id, resolution);
  touched.insert(response_id);
}

absl::Status Step::Settle(const WaveSetup& setup) {
  v1::RecordEvent changes;
  if (absl::Status settled = Settlement(work, *rulings, setup).Settle(touched, changes, report); !settled.ok()) return settled;
  events = Parts(changes);
  if (taken_in != taken_in_before) {
    events.back().set_submission_sequence(taken_in);
    events.back().set_partition(partition);
  }
  survey::v1::FeedPosition position;
  position.set_submissions(taken_in);
  work.PutWithEvent(documents::PartitionKey(documents::kPositions, partition), position);
  work.Put(documents::PartitionKey(documents::kReports, partition), report);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Step::Commit(const WaveSetup& setup, std::vector<storage::Write> more) {
  storage::Batch batch{.partition = wave, .expectations = setup.versions};
  for (const v1::RecordEvent& event : events) batch.events.push_back(proto::CanonicalBytes(event));
  work.AddTo(batch);
  for (storage::Write& write : more) {
    write.event = batch.events.size() - 1;
    batch.writes.push_back(std::move(write));
  }
  auto committed = store.Commit(std::move(batch));
  if (!committed.ok()) return committed.status();
  feed::RecordEnd(feed::kRecords, wave, 0, committed->last_sequence);
  return committed->first_sequence + events.size() - 1;
}

}  // namespace peiling::dedup
