#include "services/intake/response_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/feed/feed_metrics.h"
#include "services/common/feed/position.h"
#include "services/common/log/log.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/etag.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/intake/catalog.h"
#include "services/intake/metrics.h"
#include "services/intake/personal_answers.h"
#include "services/intake/respondent_key.h"

namespace peiling::intake {
namespace {

constexpr char kResponsePrefix[] = "response/";
// Responses a List looks at for one page, so that a rare state does not hold the call.
constexpr size_t kMaxScanned = 10'000;
// Bytes of a page, which must fit in a message (4 MiB) together with one response more and its findings, and responses looked for at a
// time.
constexpr size_t kPageBytes = 1 << 20;
constexpr size_t kReadAtATime = 100;
// How often a withdrawal that lost a race is tried again.
constexpr int kAttempts = 20;

std::string ResponseKey(const std::string& id) { return kResponsePrefix + id; }

absl::Status Corrupt(const std::string& key) {
  return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("document ", key, " cannot be read"));
}

// The event of a response: whole, but for its findings. They and the response itself change hands for a moment, to spare copies.
std::string EventOf(v1::Response& response) {
  google::protobuf::RepeatedPtrField<validation::v1::Issue> issues(response.GetArena());
  issues.Swap(response.mutable_issues());
  v1::SubmissionEvent event;
  event.unsafe_arena_set_allocated_response(&response);
  std::string bytes = event.SerializeAsString();
  event.unsafe_arena_release_response();
  issues.Swap(response.mutable_issues());
  return bytes;
}

// What the event of a response does not hold.
v1::Response Remainder(const v1::Response& response) {
  v1::Response remainder;
  remainder.set_etag(response.etag());
  *remainder.mutable_issues() = response.issues();
  return remainder;
}

bool HasPersonal(const ResponseChange& change) { return change.personal && !change.personal->answers().empty(); }

void AddPersonal(const vault::Vault& vault, const std::string& id, const ResponseChange& change, storage::Batch& batch) {
  if (HasPersonal(change)) {
    batch.writes.push_back({.key = PersonalKey(id), .value = SealPersonal(vault, batch.partition, id, *change.personal)});
    ExpectNotErased(batch);
  } else if (change.personal && change.expected_version > 0) {
    batch.writes.push_back({.key = PersonalKey(id), .value = std::nullopt});
  }
}

// The documents of a wave's responses, by id over all its partitions.
class ResponseDocuments {
 public:
  ResponseDocuments(storage::Store& store, const std::string& wave, int partitions, const std::string& after)
      : store_(store), read_at_a_time_(kReadAtATime / partitions + 1) {
    for (int i = 0; i < partitions; ++i) sources_.push_back({.partition = names::PartitionName(wave, i), .after = after});
  }

  // The next; nullopt at the end.
  absl::StatusOr<std::optional<storage::Document>> Next() {
    Source* first = nullptr;
    for (Source& source : sources_) {
      if (absl::Status status = Fill(source); !status.ok()) return status;
      if (source.next == source.read.size()) continue;
      if (first == nullptr || source.front().key < first->front().key) first = &source;
    }
    if (first == nullptr) return std::nullopt;
    return std::move(first->read[first->next++]);
  }

 private:
  // A partition, and what was read of it ahead.
  struct Source {
    std::string partition;
    std::string after;
    std::vector<storage::Document> read = {};
    size_t next = 0;
    bool ended = false;

    const storage::Document& front() const { return read[next]; }
  };

  absl::Status Fill(Source& source) {
    if (source.next < source.read.size() || source.ended) return absl::OkStatus();
    auto read = store_.List(source.partition, kResponsePrefix, source.after, read_at_a_time_);
    if (!read.ok()) return read.status();
    source.read = *std::move(read);
    source.next = 0;
    source.ended = source.read.size() < read_at_a_time_;
    if (!source.ended) source.after = source.read.back().key;
    return absl::OkStatus();
  }

  storage::Store& store_;
  const size_t read_at_a_time_;
  std::vector<Source> sources_;
};

}  // namespace

absl::Status ResponseStore::Commit(const std::string& wave, int partition, std::vector<ResponseChange>& changes) {
  storage::Batch batch{.partition = names::PartitionName(wave, partition)};
  batch.writes.reserve(changes.size() * 3);
  batch.events.reserve(changes.size());
  for (ResponseChange& change : changes) {
    v1::Response& response = *change.response;
    response.clear_sequence();
    response.clear_etag();
    const size_t event = batch.events.size();
    batch.events.push_back(EventOf(response));
    response.set_etag(Etag(change.expected_version + 1));
    const v1::Response remainder = Remainder(response);
    const std::string id = names::LastId(response.name());
    batch.writes.push_back(
        {.key = ResponseKey(id), .value = remainder.SerializeAsString(), .expected_version = change.expected_version, .event = event});
    AddPersonal(vault_, id, change, batch);
    if (!change.request_id.empty()) {
      batch.writes.push_back(storage::ReceiptWrite(change.request_id, change.digest, remainder));
      batch.writes.back().event = event;
    }
    std::move(change.also.begin(), change.also.end(), std::back_inserter(batch.writes));
  }
  const absl::StatusOr<storage::CommitResult> committed = store_.Commit(std::move(batch));
  if (absl::IsAborted(committed.status()) && std::any_of(changes.begin(), changes.end(), HasPersonal)) {
    if (absl::Status status = CheckNotErased(store_, names::PartitionName(wave, partition)); !status.ok()) return status;
  }
  if (!committed.ok()) return committed.status();
  for (size_t i = 0; i < changes.size(); ++i) changes[i].response->set_sequence(committed->first_sequence + i);
  feed::RecordEnd(feed::kSubmissions, wave, partition, committed->last_sequence);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<v1::Response>> ResponseStore::ReadEvent(const std::string& partition, uint64_t sequence) {
  auto events = store_.ReadFeed(partition, sequence - 1, 1);
  if (!events.ok()) return events.status();
  if (events->empty()) return std::nullopt;
  v1::SubmissionEvent event;
  if (!event.ParseFromString(events->front().value)) return Corrupt(absl::StrCat("of event ", sequence));
  event.mutable_response()->set_sequence(sequence);
  return std::move(*event.mutable_response());
}

absl::StatusOr<v1::Response> ResponseStore::Read(const std::string& partition, const storage::Document& document) {
  v1::Response remainder;
  if (!remainder.ParseFromString(document.value) || document.sequence == 0) return Corrupt(document.key);
  const auto belongs = [&document](const absl::StatusOr<std::optional<v1::Response>>& event) {
    return event->has_value() && ResponseKey(names::LastId((*event)->name())) == document.key;
  };
  absl::StatusOr<std::optional<v1::Response>> event = ReadEvent(partition, document.sequence);
  if (event.ok() && !belongs(event)) {
    // Documents are seen before they are durable, events are not.
    if (absl::Status status = store_.Confirm(partition); !status.ok()) return status;
    event = ReadEvent(partition, document.sequence);
  }
  if (!event.ok()) return event.status();
  if (!belongs(event)) {
    // What was seen before it was durable can be gone by now, and its sequence be another's.
    auto now = store_.Get(partition, document.key);
    if (!now.ok()) return now.status();
    if (now->has_value() && (*now)->sequence == document.sequence) return Corrupt(document.key);
    return status::Error(absl::StatusCode::kAborted, "CONCURRENT_CHANGE", "the response changed while it was read; try again");
  }
  (*event)->MergeFrom(remainder);
  return **std::move(event);
}

absl::StatusOr<std::optional<v1::Response>> ResponseStore::FindAnswer(const std::string& wave, int partition, const std::string& request_id,
                                                                      const std::string& digest) {
  const std::string name = names::PartitionName(wave, partition);
  v1::Response remainder;
  uint64_t sequence = 0;
  auto found = storage::FindReceipt(store_, name, request_id, digest, remainder, &sequence);
  if (!found.ok()) return found.status();
  if (!*found) return std::nullopt;
  absl::StatusOr<std::optional<v1::Response>> event = ReadEvent(name, sequence);
  if (!event.ok()) return event.status();
  if (!event->has_value()) return Corrupt(storage::ReceiptKey(request_id));
  (*event)->MergeFrom(remainder);
  return event;
}

absl::StatusOr<std::vector<std::optional<StoredResponse>>> ResponseStore::FindMany(const std::string& wave, int partition,
                                                                                   const std::vector<std::string>& ids, Personal with) {
  const std::string name = names::PartitionName(wave, partition);
  std::vector<std::string> keys;
  keys.reserve(ids.size() * 2);
  for (const std::string& id : ids) {
    keys.push_back(ResponseKey(id));
    keys.push_back(PersonalKey(id));
  }
  auto documents = store_.GetMany(name, keys);
  if (!documents.ok()) return documents.status();
  std::vector<std::optional<StoredResponse>> responses(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::optional<storage::Document>& document = (*documents)[2 * i];
    if (!document) continue;
    absl::StatusOr<v1::Response> response = Read(name, *document);
    if (!response.ok()) return response.status();
    StoredResponse& stored = responses[i].emplace(StoredResponse{.response = *std::move(response), .version = document->version});
    const std::optional<storage::Document>& personal = (*documents)[2 * i + 1];
    if (!personal || with == Personal::kWithout) continue;
    absl::StatusOr<survey::v1::Answers> answers = UnsealPersonal(vault_, name, *personal);
    if (!answers.ok()) return answers.status();
    stored.personal = *std::move(answers);
  }
  return responses;
}

absl::Status ResponseStore::Confirm(const std::string& wave, int partition) {
  return store_.Confirm(names::PartitionName(wave, partition));
}

absl::StatusOr<StoredResponse> ResponseStore::Get(const std::string& name, int partitions, Personal personal) {
  const std::string id = names::LastId(name);
  auto found = FindMany(names::WaveOf(name), names::PartitionOf(id, partitions), {id}, personal);
  if (!found.ok()) return found.status();
  if (!found->front()) {
    return status::Error(absl::StatusCode::kNotFound, "RESPONSE_NOT_FOUND", absl::StrCat("\"", name, "\" does not exist"),
                         {{"name", name}});
  }
  return *std::move(found->front());
}

absl::StatusOr<v1::ListResponsesResponse> ResponseStore::List(const v1::ListResponsesRequest& request, int partitions,
                                                              const paging::Page& page) {
  v1::ListResponsesResponse response;
  ResponseDocuments documents(store_, request.parent(), partitions, page.after);
  std::string after = page.after;
  size_t bytes = 0;
  for (size_t scanned = 0;; ++scanned) {
    auto document = documents.Next();
    if (!document.ok()) return document.status();
    if (!document->has_value()) return response;
    if (response.responses_size() == page.size || bytes >= kPageBytes || scanned == kMaxScanned) {
      response.set_next_page_token(paging::NextPageToken(request, after));
      return response;
    }
    after = (*document)->key;
    const int partition = names::PartitionOf(after.substr(sizeof(kResponsePrefix) - 1), partitions);
    absl::StatusOr<v1::Response> read = Read(names::PartitionName(request.parent(), partition), **document);
    if (!read.ok()) return read.status();
    if (request.state() != v1::RESPONSE_STATE_UNSPECIFIED && read->state() != request.state()) continue;
    bytes += read->ByteSizeLong();
    *response.add_responses() = *std::move(read);
  }
}

absl::StatusOr<v1::Response> ResponseStore::TryWithdraw(const v1::WithdrawResponseRequest& request, int partitions,
                                                        const std::string& digest) {
  const std::string wave = names::WaveOf(request.name());
  const int partition = names::PartitionOf(names::LastId(request.name()), partitions);
  auto answer = FindAnswer(wave, partition, request.request_id(), digest);
  if (!answer.ok()) return answer.status();
  if (*answer) return **std::move(answer);
  absl::StatusOr<StoredResponse> stored = Get(request.name(), partitions);
  if (!stored.ok()) return stored.status();
  v1::Response& response = stored->response;
  if (absl::Status status = storage::CheckEtag(request.etag(), request.name(), response.etag()); !status.ok()) return status;
  if (response.state() == v1::RESPONSE_STATE_WITHDRAWN) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "ALREADY_WITHDRAWN", "the response was withdrawn before",
                         {{"name", request.name()}});
  }
  response.set_state(v1::RESPONSE_STATE_WITHDRAWN);
  response.set_withdrawal_reason(request.reason());
  std::vector<ResponseChange> changes = {{.response = &response,
                                          .personal = std::nullopt,
                                          .expected_version = stored->version,
                                          .request_id = request.request_id(),
                                          .digest = digest}};
  if (absl::Status status = Commit(wave, partition, changes); !status.ok()) return status;
  CountResponse(Outcome::kWithdrawn);
  return std::move(response);
}

absl::StatusOr<v1::WithdrawResponseResponse> ResponseStore::Withdraw(const v1::WithdrawResponseRequest& request, int partitions) {
  const std::string digest = storage::DigestOf(request);
  const std::string wave = names::WaveOf(request.name());
  const int partition = names::PartitionOf(names::LastId(request.name()), partitions);
  absl::StatusOr<v1::Response> response = TryWithdraw(request, partitions, digest);
  for (int attempt = 1; attempt < kAttempts && status::Reason(response.status()) == "CONCURRENT_CHANGE"; ++attempt) {
    storage::PauseAfterRace(attempt);
    response = TryWithdraw(request, partitions, digest);
  }
  if (!response.ok()) {
    // What it is refused for must not be lost again.
    const absl::Status confirmed = Confirm(wave, partition);
    return confirmed.ok() ? response.status() : confirmed;
  }
  v1::WithdrawResponseResponse answer;
  feed::SetSubmissions(*answer.mutable_position(), partition, response->sequence());
  *answer.mutable_response() = *std::move(response);
  return answer;
}

absl::StatusOr<survey::v1::FeedPosition> ResponseStore::End(const std::string& wave, int partitions) {
  survey::v1::FeedPosition position;
  for (int i = 0; i < partitions; ++i) {
    absl::StatusOr<uint64_t> last = store_.LastSequence(names::PartitionName(wave, i));
    if (!last.ok()) return last.status();
    feed::SetSubmissions(position, i, *last);
  }
  return position;
}

absl::StatusOr<v1::Wave> ResponseStore::WithTally(v1::Wave wave) {
  uint64_t responses = 0, events = 0;
  for (int i = 0; i < wave.partitions(); ++i) {
    const std::string partition = names::PartitionName(wave.name(), i);
    absl::StatusOr<uint64_t> count = store_.Count(partition, kResponsePrefix);
    if (!count.ok()) return count.status();
    absl::StatusOr<uint64_t> last = store_.LastSequence(partition);
    if (!last.ok()) return last.status();
    responses += *count;
    events += *last;
  }
  wave.set_response_count(static_cast<int64_t>(responses));
  wave.set_last_sequence(events);
  return wave;
}

absl::StatusOr<std::string> ResponseStore::Secret(const std::string& wave, bool create) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = secrets_.find(wave);
    if (found != secrets_.end()) return found->second;
  }
  const std::string partition = names::PartitionName(wave, 0);
  auto documents = store_.GetMany(partition, {kSecretKey, kErasedKey});
  if (!documents.ok()) return documents.status();
  const std::optional<storage::Document>& stored = documents->front();
  const bool gone = stored && vault_.IsGone(stored->value);
  std::string secret;
  if (!stored || gone) {
    if (!create || documents->back().has_value()) return "";
    secret = NewSecret();
    storage::Batch batch{.partition = partition};
    batch.writes.push_back({.key = kSecretKey,
                            .value = vault_.Seal(secret, vault::ContextOf(partition, kSecretKey)),
                            .expected_version = gone ? stored->version : 0});
    ExpectNotErased(batch);
    const absl::Status status = store_.Commit(std::move(batch)).status();
    // Somebody else made one, or there are to be none.
    if (absl::IsAborted(status)) return Secret(wave, create);
    if (!status.ok()) return status;
    if (gone) {
      log::Warning(
          "respondent keys of a wave were made with a secret that is sealed with a key that is lost, and are made with a new one from now "
          "on: who answered before and answers again is taken for somebody else, and a request that is repeated from before is refused",
          {{"wave", wave}});
    }
  } else {
    absl::StatusOr<std::string> unsealed = UnsealOld(vault_, partition, *stored);
    if (!unsealed.ok()) return unsealed;
    secret = *std::move(unsealed);
    // One that may still be lost makes keys that will equal no others.
    if (absl::Status status = store_.Confirm(partition); !status.ok()) return status;
  }
  const std::lock_guard lock(mutex_);
  return secrets_.emplace(wave, secret).first->second;
}

void ResponseStore::ForgetSecret(const std::string& wave) {
  const std::lock_guard lock(mutex_);
  secrets_.erase(wave);
}

}  // namespace peiling::intake
