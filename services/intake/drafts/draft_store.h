// Drafts of responses (draft_documents.h): written by several people at once, each save merged question by question (draft_merge.h), and
// shown to the submission feed.
//
// Writers of one draft take turns within a process, so that they do not race needlessly; those of other processes race, and who loses reads
// again. Writers of different drafts share commits (storage/store.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/paging/paging.h"
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
  calendar::Clock clock;
};

// Bounds of a draft.
struct DraftLimits {
  // Entries of its history; one save more is refused, as is opening it again. Submitting and withdrawing it stay possible.
  uint64_t most_changes = 10'000;
};

// Thread-safe. Requests were checked (validate.h). Errors are those of the RPCs; the store's, the vault's and validation's come beside
// them.
class DraftStore {
 public:
  // `publish_at_once`: the feed has every save when it is answered; else PublishAll sees to it.
  explicit DraftStore(DraftParts parts, bool publish_at_once = false, DraftLimits limits = {})
      : parts_(std::move(parts)), publish_at_once_(publish_at_once), limits_(limits) {}

  // Answers with the municipalities in the answer to the question that names them, where that is a text: nobody has to give it, and it
  // counts as answered.
  absl::StatusOr<v1::Draft> Create(const v1::CreateDraftRequest& request, const DraftWriter& writer);
  absl::StatusOr<v1::Draft> Get(const v1::GetDraftRequest& request, const DraftWriter& writer, const MakeContext& make_context);
  absl::StatusOr<v1::SaveDraftResponse> Save(const v1::SaveDraftRequest& request, const DraftWriter& writer);
  absl::StatusOr<v1::SubmitDraftResponse> Submit(const v1::SubmitDraftRequest& request, const DraftWriter& writer,
                                                 const MakeContext& make_context);
  absl::StatusOr<v1::Draft> Reopen(const v1::ReopenDraftRequest& request, const DraftWriter& writer);
  // Of any response, whether it was a draft or came in whole.
  absl::StatusOr<v1::WithdrawResponseResponse> Withdraw(const v1::WithdrawResponseRequest& request, const DraftWriter& writer);
  absl::StatusOr<v1::ListDraftChangesResponse> ListChanges(const v1::ListDraftChangesRequest& request, const paging::Page& page);
  // Of any responses.
  absl::StatusOr<v1::BatchGetResponseStatesResponse> States(const v1::BatchGetResponseStatesRequest& request);

  // Puts every draft whose latest state is not in the feed there. Several processes may do so at once. The first error; the others were
  // published all the same. Breaks off once `stopped` says so.
  absl::Status PublishAll(const std::function<bool()>& stopped = [] { return false; });

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
  // was answered before gets that answer, whatever has become of the draft.
  template <typename T>
  static absl::StatusOr<T> Run(const std::function<absl::StatusOr<T>()>& attempt,
                               const std::function<absl::StatusOr<std::optional<T>>()>& find_answer);
  // The draft that a request with a receipt like this was answered with; personal answers are those there are now.
  absl::StatusOr<std::optional<v1::Draft>> FindDraftAnswer(const DraftPlace& place, const DraftWriter& writer, const Receipt& receipt);

  absl::StatusOr<DraftPlace> PlaceOf(const std::string& response);
  // RESPONSE_NOT_FOUND, NOT_A_DRAFT.
  absl::StatusOr<Opened> Open(const DraftPlace& place);
  absl::Status NoDraft(const DraftPlace& place);
  // OK while the draft can be written in: ALREADY_SUBMITTED, ALREADY_WITHDRAWN, WAVE_CLOSED.
  absl::Status CheckOpen(const Opened& opened);
  absl::Status CheckTakesAnswers(const std::string& wave, std::optional<absl::Time> begun_at);
  absl::Status CheckRoom(const Opened& opened);
  // As the writer may see it.
  absl::StatusOr<v1::Draft> Show(const Opened& opened, const DraftWriter& writer);

  absl::StatusOr<v1::Draft> TryCreate(const v1::CreateDraftRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                      const Receipt& receipt);
  absl::StatusOr<v1::SaveDraftResponse> TrySave(const v1::SaveDraftRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                                const Receipt& receipt);
  absl::Status CommitSave(const v1::SaveDraftRequest& request, const Opened& before, const Opened& after, bool personal_changed,
                          const v1::DraftChange& change, const Receipt& receipt, const v1::SaveDraftResponse& answer);
  absl::StatusOr<v1::Response> TrySubmit(const v1::SubmitDraftRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                         const MakeContext& make_context, const Receipt& receipt);
  absl::StatusOr<v1::Draft> TryReopen(const DraftPlace& place, const DraftWriter& writer, const Receipt& receipt);
  absl::StatusOr<v1::Response> TryWithdraw(const v1::WithdrawResponseRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                           const Receipt& receipt);

  using Issues = google::protobuf::RepeatedPtrField<validation::v1::Issue>;
  // What a request is answered with.
  enum class Answer { kResponse, kDraft };
  // A request that changes the state of a draft.
  struct Step {
    v1::DraftChangeKind kind;
    const Receipt& receipt;
    Answer answer = Answer::kResponse;
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
  absl::Status PublishPartition(const std::string& name, const std::function<bool()>& stopped);

  KeyedLocks::Guard Lock(const DraftPlace& place) { return {locks_, place.partition_name + "/" + place.id}; }

  const DraftParts parts_;
  const bool publish_at_once_;
  const DraftLimits limits_;
  KeyedLocks locks_;
};

}  // namespace peiling::intake
