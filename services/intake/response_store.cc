#include "services/intake/response_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/receipts.h"
#include "services/intake/catalog.h"
#include "services/intake/metrics.h"
#include "services/intake/respondent_key.h"

namespace peiling::intake {
namespace {

constexpr char kResponsePrefix[] = "response/";
constexpr char kSecretKey[] = "secret";
constexpr char kTallyKey[] = "tally";
// Responses a List looks at for one page, so that a rare state does not hold the call.
constexpr size_t kMaxScanned = 10'000;
// Bytes of a page, which must fit in a message (4 MiB) together with one response more and its findings, and responses read at a time.
constexpr size_t kPageBytes = 1 << 20;
constexpr size_t kReadAtATime = 100;
// How often a withdrawal that lost a race is tried again.
constexpr int kAttempts = 20;

std::string ResponseKey(const std::string& id) { return kResponsePrefix + id; }
std::string PersonalKey(const std::string& id) { return "personal/" + id; }

absl::Status Corrupt(const std::string& key) {
  return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("document ", key, " cannot be read"));
}

// The event of a response: whole, but for its findings. They and the response itself change hands for a moment, to spare copies.
std::string EventOf(v1::Response& response) {
  google::protobuf::RepeatedPtrField<validation::v1::Issue> issues(response.GetArena());
  issues.Swap(response.mutable_issues());
  v1::SubmissionEvent event;
  event.set_sequence(response.sequence());
  event.unsafe_arena_set_allocated_response(&response);
  std::string bytes = event.SerializeAsString();
  event.unsafe_arena_release_response();
  issues.Swap(response.mutable_issues());
  return bytes;
}

// What the event of a response does not hold, and where that is.
v1::Response Remainder(const v1::Response& response) {
  v1::Response remainder;
  remainder.set_sequence(response.sequence());
  remainder.set_etag(response.etag());
  *remainder.mutable_issues() = response.issues();
  return remainder;
}

void AddPersonal(const std::string& id, const ResponseChange& change, std::vector<storage::Write>& writes) {
  if (!change.personal) return;
  if (!change.personal->answers().empty()) {
    writes.push_back({.key = PersonalKey(id), .value = change.personal->SerializeAsString()});
  } else if (change.expected_version > 0) {
    writes.push_back({.key = PersonalKey(id), .value = std::nullopt});
  }
}

}  // namespace

ResponseStore::Tally& ResponseStore::TallyOf(const std::string& wave) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Tally>& tally = tallies_[wave];
  if (tally == nullptr) tally = std::make_unique<Tally>();
  return *tally;
}

absl::Status ResponseStore::Read(const std::string& wave, Tally& tally) {
  auto document = store_.Get(wave, kTallyKey);
  if (!document.ok()) return document.status();
  tally.counts.Clear();
  tally.version = document->has_value() ? (*document)->version : 0;
  if (document->has_value() && !tally.counts.ParseFromString((*document)->value)) return Corrupt(kTallyKey);
  tally.known = true;
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> ResponseStore::Commit(const std::string& wave, std::vector<ResponseChange>& changes) {
  Tally& tally = TallyOf(wave);
  const std::lock_guard lock(tally.mutex);
  if (!tally.known) {
    if (absl::Status status = Read(wave, tally); !status.ok()) return status;
  }
  v1::Wave counts = tally.counts;
  const uint64_t first_sequence = counts.last_sequence() + 1;
  storage::Batch batch{.partition = wave};
  batch.writes.reserve(changes.size() * 3 + 1);
  std::vector<std::string> events;
  for (ResponseChange& change : changes) {
    v1::Response& response = *change.response;
    counts.set_last_sequence(counts.last_sequence() + 1);
    if (change.expected_version == 0) counts.set_response_count(counts.response_count() + 1);
    response.set_sequence(counts.last_sequence());
    response.clear_etag();
    events.push_back(EventOf(response));
    response.set_etag(Etag(change.expected_version + 1));
    const v1::Response remainder = Remainder(response);
    const std::string id = names::LastId(response.name());
    batch.writes.push_back({.key = ResponseKey(id), .value = remainder.SerializeAsString(), .expected_version = change.expected_version});
    AddPersonal(id, change, batch.writes);
    if (!change.request_id.empty()) batch.writes.push_back(storage::ReceiptWrite(change.request_id, change.digest, remainder));
  }
  batch.writes.push_back({.key = kTallyKey, .value = counts.SerializeAsString(), .expected_version = tally.version});
  batch.events = [&events](uint64_t) { return events; };
  const absl::StatusOr<storage::CommitResult> committed = store_.Commit(std::move(batch));
  tally.known = committed.ok();
  if (!committed.ok()) return committed.status();
  if (committed->first_sequence != first_sequence) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", "the submission feed does not match its tally", {{"wave", wave}});
  }
  tally.counts = std::move(counts);
  ++tally.version;
  return committed->last_sequence;
}

absl::StatusOr<v1::Response> ResponseStore::Complete(const std::string& wave, const v1::Response& remainder) {
  auto events = store_.ReadFeed(wave, remainder.sequence() - 1, 1);
  if (!events.ok()) return events.status();
  v1::SubmissionEvent event;
  if (events->empty() || !event.ParseFromString(events->front().value)) {
    return Corrupt(absl::StrCat("of event ", remainder.sequence()));
  }
  event.mutable_response()->MergeFrom(remainder);
  return std::move(*event.mutable_response());
}

absl::StatusOr<v1::Response> ResponseStore::Read(const std::string& wave, const storage::Document& document) {
  v1::Response remainder;
  if (!remainder.ParseFromString(document.value)) return Corrupt(document.key);
  return Complete(wave, remainder);
}

absl::StatusOr<std::optional<v1::Response>> ResponseStore::FindAnswer(const std::string& wave, const std::string& request_id,
                                                                      const std::string& digest) {
  v1::Response receipt;
  auto found = storage::FindReceipt(store_, wave, request_id, digest, receipt);
  if (!found.ok()) return found.status();
  if (!*found) return std::nullopt;
  return Complete(wave, receipt);
}

absl::StatusOr<std::vector<std::optional<StoredResponse>>> ResponseStore::FindMany(const std::string& wave,
                                                                                   const std::vector<std::string>& ids) {
  std::vector<std::string> keys;
  keys.reserve(ids.size() * 2);
  for (const std::string& id : ids) {
    keys.push_back(ResponseKey(id));
    keys.push_back(PersonalKey(id));
  }
  auto documents = store_.GetMany(wave, keys);
  if (!documents.ok()) return documents.status();
  std::vector<std::optional<StoredResponse>> responses(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::optional<storage::Document>& document = (*documents)[2 * i];
    if (!document) continue;
    absl::StatusOr<v1::Response> response = Read(wave, *document);
    if (!response.ok()) return response.status();
    StoredResponse& stored = responses[i].emplace(StoredResponse{.response = *std::move(response), .version = document->version});
    const std::optional<storage::Document>& personal = (*documents)[2 * i + 1];
    if (personal && !stored.personal.ParseFromString(personal->value)) return Corrupt(personal->key);
  }
  return responses;
}

absl::StatusOr<StoredResponse> ResponseStore::Get(const std::string& name) {
  auto found = FindMany(names::WaveOf(name), {names::LastId(name)});
  if (!found.ok()) return found.status();
  if (!found->front()) {
    return status::Error(absl::StatusCode::kNotFound, "RESPONSE_NOT_FOUND", absl::StrCat("\"", name, "\" does not exist"),
                         {{"name", name}});
  }
  return *std::move(found->front());
}

absl::StatusOr<v1::ListResponsesResponse> ResponseStore::List(const v1::ListResponsesRequest& request, const paging::Page& page) {
  v1::ListResponsesResponse response;
  std::string after = page.after;
  size_t bytes = 0;
  for (size_t scanned = 0;;) {
    auto documents = store_.List(request.parent(), kResponsePrefix, after, kReadAtATime);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      if (response.responses_size() == page.size || bytes >= kPageBytes) {
        response.set_next_page_token(paging::NextPageToken(request, after));
        return response;
      }
      after = document.key;
      absl::StatusOr<v1::Response> read = Read(request.parent(), document);
      if (!read.ok()) return read.status();
      if (request.state() != v1::RESPONSE_STATE_UNSPECIFIED && read->state() != request.state()) continue;
      bytes += read->ByteSizeLong();
      *response.add_responses() = *std::move(read);
    }
    if (documents->size() < kReadAtATime) return response;
    scanned += documents->size();
    if (scanned >= kMaxScanned) {
      response.set_next_page_token(paging::NextPageToken(request, after));
      return response;
    }
  }
}

absl::StatusOr<v1::Response> ResponseStore::TryWithdraw(const v1::WithdrawResponseRequest& request, const std::string& digest) {
  const std::string wave = names::WaveOf(request.name());
  auto answer = FindAnswer(wave, request.request_id(), digest);
  if (!answer.ok()) return answer.status();
  if (*answer) return **std::move(answer);
  absl::StatusOr<StoredResponse> stored = Get(request.name());
  if (!stored.ok()) return stored.status();
  v1::Response& response = stored->response;
  if (!request.etag().empty() && request.etag() != response.etag()) {
    return status::Error(absl::StatusCode::kAborted, "ETAG_MISMATCH", absl::StrCat("the etag is now \"", response.etag(), "\""),
                         {{"name", request.name()}});
  }
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
  if (absl::Status status = Commit(wave, changes).status(); !status.ok()) return status;
  CountResponse(Outcome::kWithdrawn);
  return std::move(response);
}

absl::StatusOr<v1::WithdrawResponseResponse> ResponseStore::Withdraw(const v1::WithdrawResponseRequest& request) {
  v1::WithdrawResponseRequest content = request;
  content.clear_request_id();
  const std::string digest = storage::RequestDigest(content);
  absl::StatusOr<v1::Response> response = TryWithdraw(request, digest);
  for (int attempt = 1; attempt < kAttempts && status::Reason(response.status()) == "CONCURRENT_CHANGE"; ++attempt) {
    response = TryWithdraw(request, digest);
  }
  if (!response.ok()) return response.status();
  v1::WithdrawResponseResponse answer;
  answer.mutable_position()->set_submissions(response->sequence());
  *answer.mutable_response() = *std::move(response);
  return answer;
}

absl::StatusOr<v1::Wave> ResponseStore::WithTally(v1::Wave wave) {
  Tally tally;
  if (absl::Status status = Read(wave.name(), tally); !status.ok()) return status;
  wave.MergeFrom(tally.counts);
  return wave;
}

absl::StatusOr<std::string> ResponseStore::Secret(const std::string& wave, bool create) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = secrets_.find(wave);
    if (found != secrets_.end()) return found->second;
  }
  auto document = store_.Get(wave, kSecretKey);
  if (!document.ok()) return document.status();
  std::string secret = document->has_value() ? (*document)->value : "";
  if (secret.empty() && !create) return "";
  if (secret.empty()) {
    secret = NewSecret();
    storage::Batch batch{.partition = wave};
    batch.writes.push_back({.key = kSecretKey, .value = secret, .expected_version = 0});
    const absl::Status status = store_.Commit(std::move(batch)).status();
    // Somebody else made one.
    if (absl::IsAborted(status)) return Secret(wave, create);
    if (!status.ok()) return status;
  }
  const std::lock_guard lock(mutex_);
  return secrets_.emplace(wave, secret).first->second;
}

}  // namespace peiling::intake
