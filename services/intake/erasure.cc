#include "services/intake/erasure.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/log/log.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/intake/drafts/draft_documents.h"
#include "services/intake/metrics.h"
#include "services/intake/personal_answers.h"
#include "services/intake/wave_changes.h"

namespace peiling::intake {
namespace {

// Responses erased in one commit.
constexpr size_t kAtOnce = 64;

}  // namespace

absl::Status Erasure::TryErase(const v1::ErasePersonalAnswersRequest& request, const std::string& caller, v1::Response& response) {
  const std::string wave = names::WaveOf(request.name());
  const std::string id = names::LastId(request.name());
  const absl::StatusOr<int> partitions = catalog_.Partitions(wave);
  if (!partitions.ok()) return partitions.status();
  const int partition = names::PartitionOf(id, *partitions);
  const std::string place = names::PartitionName(wave, partition);
  const std::string digest = storage::DigestOf(request);
  auto answered = responses_.FindAnswer(wave, partition, request.request_id(), digest);
  if (!answered.ok()) return answered.status();
  if (*answered) {
    response = std::move(**answered);
    return absl::OkStatus();
  }
  absl::StatusOr<StoredResponse> stored = responses_.Get(request.name(), *partitions, ResponseStore::Personal::kWithout);
  if (!stored.ok()) return stored.status();
  response = std::move(stored->response);
  auto personal = store_.Get(place, PersonalKey(id));
  if (!personal.ok()) return personal.status();
  if (response.has_personal_erased_at() && !personal->has_value()) return store_.Confirm(place);

  const absl::Time now = catalog_.now();
  auto draft = ErasureWrites(store_, place, id, caller, request.reason(), now);
  if (!draft.ok()) return draft.status();
  *response.mutable_personal_erased_at() = calendar::ToProto(now);
  std::vector<ResponseChange> changes = {{.response = &response,
                                          .personal = survey::v1::Answers(),
                                          .expected_version = stored->version,
                                          .request_id = request.request_id(),
                                          .digest = digest,
                                          .also = *std::move(draft)}};
  return responses_.Commit(wave, partition, changes);
}

absl::StatusOr<v1::Response> Erasure::Erase(const v1::ErasePersonalAnswersRequest& request, const std::string& caller) {
  v1::Response response;
  absl::Status status = storage::RetryRaces([&] { return TryErase(request, caller, response); });
  if (!status.ok()) return status;
  return response;
}

absl::Status Erasure::TryErase(const std::string& wave, int partition, const std::vector<std::string>& ids) {
  const std::string place = names::PartitionName(wave, partition);
  const absl::Time now = catalog_.now();
  auto stored = responses_.FindMany(wave, partition, ids, ResponseStore::Personal::kWithout);
  if (!stored.ok()) return stored.status();
  std::vector<ResponseChange> changes;
  storage::Batch orphans{.partition = place};
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!(*stored)[i]) {
      orphans.writes.push_back({.key = PersonalKey(ids[i]), .value = std::nullopt});
      continue;
    }
    auto draft = ErasureWrites(store_, place, ids[i], "", "", now);
    if (!draft.ok()) return draft.status();
    v1::Response& response = (*stored)[i]->response;
    *response.mutable_personal_erased_at() = calendar::ToProto(now);
    changes.push_back({.response = &response,
                       .personal = survey::v1::Answers(),
                       .expected_version = (*stored)[i]->version,
                       .request_id = "",
                       .digest = "",
                       .also = *std::move(draft)});
  }
  if (!orphans.writes.empty()) {
    if (absl::Status status = store_.Commit(std::move(orphans)).status(); !status.ok()) return status;
  }
  return changes.empty() ? absl::OkStatus() : responses_.Commit(wave, partition, changes);
}

absl::Status Erasure::EraseUnreadable(const std::string& wave, int partition, const std::string& id) {
  storage::Batch batch{.partition = names::PartitionName(wave, partition)};
  batch.writes.push_back({.key = PersonalKey(id), .value = std::nullopt});
  if (absl::Status status = store_.Commit(std::move(batch)).status(); !status.ok()) return status;
  log::Error("the personal answers of a response are erased that cannot be read, so nothing tells of it",
             {{"wave", wave}, {"response", id}});
  return absl::OkStatus();
}

absl::Status Erasure::EraseSome(const std::string& wave, int partition, const std::vector<std::string>& ids) {
  absl::Status status = storage::RetryRaces([&] { return TryErase(wave, partition, ids); });
  if (!absl::IsDataLoss(status)) return status;
  // One of them at least cannot be read, which must not keep the others.
  if (ids.size() == 1) return EraseUnreadable(wave, partition, ids.front());
  for (const std::string& id : ids) {
    if (absl::Status one = EraseSome(wave, partition, {id}); !one.ok()) return one;
  }
  return absl::OkStatus();
}

absl::Status Erasure::ErasePartition(const std::string& wave, int partition) {
  const std::string place = names::PartitionName(wave, partition);
  storage::Batch mark{.partition = place};
  mark.writes.push_back({.key = kErasedKey, .value = "", .expected_version = 0});
  if (partition == 0) mark.writes.push_back({.key = kSecretKey, .value = std::nullopt});
  // It is there already when somebody began before.
  if (absl::Status status = store_.Commit(std::move(mark)).status(); !status.ok() && !absl::IsAborted(status)) return status;
  while (!stopping_) {
    auto documents = store_.List(place, kPersonalPrefix, "", kAtOnce);
    if (!documents.ok()) return documents.status();
    // Another may have deleted the last ones, and not yet for certain.
    if (documents->empty()) return store_.Confirm(place);
    std::vector<std::string> ids;
    for (const storage::Document& document : *documents) ids.push_back(document.key.substr(sizeof(kPersonalPrefix) - 1));
    if (absl::Status status = EraseSome(wave, partition, ids); !status.ok()) return status;
  }
  return absl::CancelledError("stopped");
}

absl::Status Erasure::EraseWave(const v1::Wave& wave) {
  const absl::StatusOr<ErasureStage> stage = BeginErasure(store_, wave.name(), catalog_.now());
  if (!stage.ok()) return stage.status();
  if (*stage == ErasureStage::kNotDue) return absl::OkStatus();
  if (*stage == ErasureStage::kUnderWay) {
    absl::Status first;
    for (int i = 0; i < wave.partitions(); ++i) first.Update(ErasePartition(wave.name(), i));
    if (!first.ok()) return first;
    if (absl::Status status = FinishErasure(store_, wave.name(), catalog_.now()); !status.ok()) return status;
    log::Info("the personal answers of a wave are erased", {{"wave", wave.name()}});
  }
  // Every replica has had it in memory.
  responses_.ForgetSecret(wave.name());
  return absl::OkStatus();
}

absl::Status Erasure::Sweep() {
  v1::ListWavesRequest request;
  request.set_parent("surveys/-");
  paging::Page page{.size = paging::kMaxPageSize};
  absl::Status first;
  size_t overdue = 0;
  while (true) {
    const absl::StatusOr<v1::ListWavesResponse> waves = catalog_.ListWaves(request, page);
    if (!waves.ok()) return waves.status();
    for (const v1::Wave& wave : waves->waves()) {
      if (!wave.has_personal_data_erased_at()) continue;
      const absl::Status erased = EraseWave(wave);
      overdue += erased.ok() ? 0 : 1;
      first.Update(erased);
    }
    if (waves->next_page_token().empty()) {
      SetErasuresOverdue(overdue);
      return first;
    }
    page.after = WaveKey(waves->waves().rbegin()->name());
  }
}

void Erasure::SweepLogged() {
  const absl::Status status = Sweep();
  if (status.ok() || stopping_) return;
  log::Warning("personal answers whose time is over could not all be erased; it is tried again", {{"why", std::string(status.message())}});
}

}  // namespace peiling::intake
