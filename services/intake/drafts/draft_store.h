// Drafts of responses (draft_documents.h): written by several people at once, each save merged question by question (draft_merge.h), and
// shown to the submission feed.
//
// Writers of one draft take turns within a process, so that they do not race needlessly; those of other processes race, and who loses reads
// again. Writers of different drafts share commits (storage/store.h).
//
// A repeat of a request (storage/receipts.h) is answered thus: of CreateDraft and ReopenDraft with the draft as it now is; of SaveDraft as
// the first time, but that what is in conflict is shown as it now stands; of SubmitDraft and WithdrawResponse as the first time.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "services/common/paging/paging.h"
#include "services/common/repeater/repeater.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"
#include "services/intake/catalog.h"
#include "services/intake/drafts/draft_documents.h"
#include "services/intake/drafts/draft_writer.h"
#include "services/intake/drafts/keyed_locks.h"
#include "services/intake/response_store.h"
#include "services/intake/response_validator.h"

namespace peiling::intake {

// What drafts work with. All must outlive who has it.
struct DraftParts {
  storage::Store& store;
  const vault::Vault& vault;
  Catalog& catalog;
  ResponseStore& responses;
  ResponseValidator& validator;
};

// Bounds of a draft.
struct DraftLimits {
  // Bytes that its saves and steps leave (draft_documents.h); one save more is refused, as is opening it again. Submitting and withdrawing
  // it stay possible.
  uint64_t most_bytes_left = 32 << 20;
};

// Thread-safe. Requests were checked (validate.h). Errors are those of the RPCs; the store's, the vault's and validation's come beside
// them.
class DraftStore {
 public:
  // `feed_interval`: how often what was saved is brought to the submission feed, from Start on; 0: with every save.
  explicit DraftStore(DraftParts parts, std::chrono::seconds feed_interval = std::chrono::seconds(10), DraftLimits limits = {})
      : parts_(parts), feed_interval_(feed_interval), limits_(limits) {}

  // Answers with the municipalities in the answer to the question that names them: nobody has to give it, and it counts as answered.
  absl::StatusOr<v1::Draft> Create(const v1::CreateDraftRequest& request, const DraftWriter& writer);
  absl::StatusOr<v1::Draft> Get(const v1::GetDraftRequest& request, const DraftWriter& writer, const MakeContext& make_context);
  absl::StatusOr<v1::SaveDraftResponse> Save(const v1::SaveDraftRequest& request, const DraftWriter& writer);
  absl::StatusOr<v1::SubmitDraftResponse> Submit(const v1::SubmitDraftRequest& request, const DraftWriter& writer,
                                                 const MakeContext& make_context);
  absl::StatusOr<v1::Draft> Reopen(const v1::ReopenDraftRequest& request, const DraftWriter& writer);
  // Of any response, whether it was a draft or came in whole.
  absl::StatusOr<v1::WithdrawResponseResponse> Withdraw(const v1::WithdrawResponseRequest& request, const DraftWriter& writer);
  absl::StatusOr<v1::ListDraftChangesResponse> ListChanges(const v1::ListDraftChangesRequest& request, const paging::Page& page,
                                                           const DraftWriter& reader);
  // Of any responses.
  absl::StatusOr<v1::BatchGetResponseStatesResponse> States(const v1::BatchGetResponseStatesRequest& request);

  // Puts every draft whose latest state is not in the feed there. Several processes may do so at once. The first error; the others were
  // published all the same. Breaks off once it is stopped.
  absl::Status PublishAll();
  // Does so now, with what an earlier process left, and every so often from then on, in a thread of its own.
  void Start() { sweeper_.Start(); }
  void Stop() {
    stopping_ = true;
    sweeper_.Stop();
  }

 private:
  // A draft, with all that is known of it.
  struct Opened {
    DraftPlace place;
    std::shared_ptr<const WaveQuestions> questions;
    StoredDraft stored;

    uint64_t next_revision() const { return stored.version + 1; }
  };
  // A request that leaves a receipt.
  struct Receipt {
    const std::string& request_id;
    std::string digest;
  };

  // Runs `attempt` until it wins or fails by itself, and `find_answer` (StatusOr<optional>) when it did not succeed: a request that
  // was answered before gets that answer, whatever has become of the draft. What it says of the draft is durable, a refusal, too.
  template <typename T>
  absl::StatusOr<T> Run(const DraftPlace& place, const std::function<absl::StatusOr<T>()>& attempt,
                        const std::function<absl::StatusOr<std::optional<T>>()>& find_answer);
  // The draft as it now is, when there is such a receipt.
  absl::StatusOr<std::optional<v1::Draft>> FindDraftAnswer(const DraftPlace& place, const DraftWriter& writer, const Receipt& receipt);
  absl::StatusOr<std::optional<v1::SaveDraftResponse>> FindSaveAnswer(const v1::SaveDraftRequest& request, const DraftPlace& place,
                                                                      const DraftWriter& writer, const Receipt& receipt);

  absl::StatusOr<DraftPlace> PlaceOf(const std::string& response);
  // RESPONSE_NOT_FOUND, NOT_A_DRAFT.
  absl::StatusOr<Opened> Open(const DraftPlace& place);
  absl::Status NoDraft(const DraftPlace& place);
  // OK while the draft can be written in: ALREADY_SUBMITTED, ALREADY_WITHDRAWN, WAVE_CLOSED.
  absl::Status CheckOpen(const Opened& opened);
  absl::Status CheckTakesAnswers(const std::string& wave, std::optional<absl::Time> begun_at);
  // OK when so many bytes more may be left: TOO_MANY_CHANGES.
  absl::Status CheckRoom(const Opened& opened, size_t bytes);
  // As the writer may see it.
  absl::StatusOr<v1::Draft> Show(const Opened& opened, const DraftWriter& writer);

  absl::StatusOr<v1::Draft> TryCreate(const v1::CreateDraftRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                      const Receipt& receipt);
  absl::StatusOr<v1::SaveDraftResponse> TrySave(const v1::SaveDraftRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                                const Receipt& receipt);
  absl::Status CommitSave(const Opened& before, const Opened& after, bool personal_changed, const v1::DraftChange& change,
                          const Receipt& receipt, const v1::SaveDraftResponse& answer);
  absl::StatusOr<v1::Response> TrySubmit(const v1::SubmitDraftRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                         const MakeContext& make_context, const Receipt& receipt);
  absl::StatusOr<v1::Draft> TryReopen(const DraftPlace& place, const DraftWriter& writer, const Receipt& receipt);
  absl::StatusOr<v1::Response> TryWithdraw(const v1::WithdrawResponseRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                           const Receipt& receipt);

  // Of a response that is no draft. Also for strangers: the key of a form may take back what it submitted.
  absl::StatusOr<v1::WithdrawResponseResponse> WithdrawWhole(const v1::WithdrawResponseRequest& request, const DraftWriter& writer);

  using Issues = google::protobuf::RepeatedPtrField<validation::v1::Issue>;
  // A request that changes the state of a draft.
  struct Step {
    v1::DraftChangeKind kind;
    const Receipt& receipt;
    // For the response.
    Issues issues = {};
    // Of a withdrawal.
    std::string reason = {};
  };
  // Commits the draft in its new state, with its entry in the history, its event and the receipt. Returns the response.
  absl::StatusOr<v1::Response> CommitStep(Opened& opened, const DraftWriter& writer, Step step);
  // Commits the response that the draft now is, with its event and what else `change` has.
  absl::StatusOr<v1::Response> CommitResponse(const Opened& opened, Issues issues, const std::string& withdrawal_reason,
                                              ResponseChange change);

  // The states of the responses at these positions, which lie in one partition.
  absl::Status ReadStates(const v1::BatchGetResponseStatesRequest& request, int partition, const std::vector<int>& positions,
                          v1::BatchGetResponseStatesResponse& response);

  // Publishes a draft if it is marked.
  absl::Status TryPublish(const DraftPlace& place);
  absl::Status Publish(const DraftPlace& place);
  // Those of one partition, by its name in the store.
  absl::Status PublishPartition(const std::string& name);
  void PublishLogged();

  // A writer's turn: DRAFT_BUSY.
  absl::StatusOr<KeyedLocks::Guard> Lock(const DraftPlace& place, KeyedLocks::Deadline deadline) {
    return locks_.Acquire(place.partition_name + "/" + place.id, deadline);
  }

  const DraftParts parts_;
  const std::chrono::seconds feed_interval_;
  const DraftLimits limits_;
  KeyedLocks locks_;
  std::atomic<bool> stopping_ = false;
  // What could not be published with its save is published by it, too.
  Repeater sweeper_{std::max(feed_interval_, std::chrono::seconds(1)), [this] { PublishLogged(); }};
};

}  // namespace peiling::intake
