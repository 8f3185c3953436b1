// The responses of all waves and their submission feeds. Each partition of a wave is one of the store (names/partitions.h) and holds, of
// the responses whose ids belong there,
//   response/<id>   what the response's last event does not hold; answers are stored once, in the feed,
//   personal/<id>   its personal answers, which go nowhere else (personal_answers.h),
//   receipt/<…>     the answers to requests,
// and the feed of serialised SubmissionEvents, without sequences: those are the store's. A document's sequence is that of its event. The
// first partition also holds
//   secret          what respondent keys of the wave are made with, sealed; goes with the personal answers.
//
// Nothing but the secret, which changes only when the key it is sealed with is lost, is kept in memory: any number of processes may serve
// the same waves.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"

namespace peiling::intake {

// Where the secret of the respondents' keys is.
inline constexpr char kSecretKey[] = "secret";

// A response with what is kept apart from it.
struct StoredResponse {
  // With etag, without personal answers.
  v1::Response response;
  survey::v1::Answers personal;
  // Of response/<id>.
  uint64_t version = 0;
};

// One response to be written, with its event. The response's name says where.
struct ResponseChange {
  // Without personal answers. Commit fills in its sequence and etag.
  v1::Response* response = nullptr;
  // nullopt leaves them as they are.
  std::optional<survey::v1::Answers> personal;
  // Version the response has now; 0: it is new.
  uint64_t expected_version = 0;
  // The request that is answered with this response, by id and digest (storage/receipts.h); empty: none.
  std::string request_id;
  std::string digest;
  // What else is kept of the response in its partition, and changes with it (drafts).
  std::vector<storage::Write> also = {};
};

// Thread-safe. Errors of the store come beside those named.
class ResponseStore {
 public:
  // Both must outlive this.
  ResponseStore(storage::Store& store, const vault::Vault& vault) : store_(store), vault_(vault) {}

  // Writes all changes, to responses of one partition of a wave, with their events in one commit, or none. ABORTED/CONCURRENT_CHANGE when a
  // response has another version or a request was answered before; what was read must be read again before another try.
  // FAILED_PRECONDITION/PERSONAL_DATA_ERASED when those of the wave are erased and a change has some.
  absl::Status Commit(const std::string& wave, int partition, std::vector<ResponseChange>& changes);

  // The response a request was answered with; nullopt when it was not. ALREADY_EXISTS/REQUEST_ID_REUSED.
  absl::StatusOr<std::optional<v1::Response>> FindAnswer(const std::string& wave, int partition, const std::string& request_id,
                                                         const std::string& digest);

  // Whether personal answers are read, too; else they need not be readable.
  enum class Personal { kWith, kWithout };
  // Responses of one partition by id, in the order of `ids`.
  absl::StatusOr<std::vector<std::optional<StoredResponse>>> FindMany(const std::string& wave, int partition,
                                                                      const std::vector<std::string>& ids,
                                                                      Personal personal = Personal::kWith);
  // To be called before it is answered that what was read of a partition is there.
  absl::Status Confirm(const std::string& wave, int partition);

  // `partitions` is how many the wave has.
  // One response by name. NOT_FOUND/RESPONSE_NOT_FOUND.
  absl::StatusOr<StoredResponse> Get(const std::string& name, int partitions, Personal personal = Personal::kWith);
  // A page may be shorter than asked for while there are more: when a state is rare, or responses are large.
  absl::StatusOr<v1::ListResponsesResponse> List(const v1::ListResponsesRequest& request, int partitions, const paging::Page& page);
  // As the RPC: RESPONSE_NOT_FOUND, ALREADY_WITHDRAWN, ETAG_MISMATCH, REQUEST_ID_REUSED, CONCURRENT_CHANGE.
  absl::StatusOr<v1::WithdrawResponseResponse> Withdraw(const v1::WithdrawResponseRequest& request, int partitions);
  // Where the feeds of all partitions end.
  absl::StatusOr<survey::v1::FeedPosition> End(const std::string& wave, int partitions);

  // The wave with its response_count and last_sequence.
  absl::StatusOr<v1::Wave> WithTally(v1::Wave wave);

  // What respondent keys of the wave are made with. When there is none yet, or it is gone (Vault::IsGone), one is made, or "" is returned
  // when `create` is false, and once the personal answers of the wave are erased.
  absl::StatusOr<std::string> Secret(const std::string& wave, bool create);
  // Forgets the one in memory, once it is deleted.
  void ForgetSecret(const std::string& wave);

 private:
  // One try; ABORTED/CONCURRENT_CHANGE when somebody else was first.
  absl::StatusOr<v1::Response> TryWithdraw(const v1::WithdrawResponseRequest& request, int partitions, const std::string& digest);
  // These name the store's partition.
  // The response of a document response/<id>.
  absl::StatusOr<v1::Response> Read(const std::string& partition, const storage::Document& document);
  // The response as an event holds it; nullopt when the feed shows no such event.
  absl::StatusOr<std::optional<v1::Response>> ReadEvent(const std::string& partition, uint64_t sequence);

  storage::Store& store_;
  const vault::Vault& vault_;
  std::mutex mutex_;
  // By wave. Durable.
  absl::flat_hash_map<std::string, std::string> secrets_;
};

}  // namespace peiling::intake
