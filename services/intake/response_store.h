// The responses of all waves and their submission feeds. A wave's partition of the store has the wave's name and holds
//   response/<id>   of a Response, the sequence of its last event and what that event does not hold; answers are stored once, in the feed,
//   personal/<id>   its personal answers, which go nowhere else,
//   secret          what respondent keys of the wave are made with,
//   tally           how many responses and events there are, as a Wave,
//   receipt/<…>     the answers to requests,
// and the feed of serialised SubmissionEvents.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"

namespace peiling::intake {

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
};

// Thread-safe. Errors of the store come beside those named.
class ResponseStore {
 public:
  // `store` must outlive this.
  explicit ResponseStore(storage::Store& store) : store_(store) {}

  // Writes all changes with their events in one commit, or none. ABORTED/CONCURRENT_CHANGE when a response has another version, a request
  // was answered before, or somebody else wrote to the wave; what was read must be read again before another try. Returns the last
  // sequence.
  absl::StatusOr<uint64_t> Commit(const std::string& wave, std::vector<ResponseChange>& changes);

  // The response a request was answered with; nullopt when it was not. ALREADY_EXISTS/REQUEST_ID_REUSED.
  absl::StatusOr<std::optional<v1::Response>> FindAnswer(const std::string& wave, const std::string& request_id, const std::string& digest);

  // Responses by id, with their personal answers, in the order of `ids`.
  absl::StatusOr<std::vector<std::optional<StoredResponse>>> FindMany(const std::string& wave, const std::vector<std::string>& ids);
  // One response by name. NOT_FOUND/RESPONSE_NOT_FOUND.
  absl::StatusOr<StoredResponse> Get(const std::string& name);
  // A page may be shorter than asked for while there are more: when a state is rare, or responses are large.
  absl::StatusOr<v1::ListResponsesResponse> List(const v1::ListResponsesRequest& request, const paging::Page& page);

  // As the RPC: RESPONSE_NOT_FOUND, ALREADY_WITHDRAWN, ETAG_MISMATCH, REQUEST_ID_REUSED, CONCURRENT_CHANGE.
  absl::StatusOr<v1::WithdrawResponseResponse> Withdraw(const v1::WithdrawResponseRequest& request);

  // The wave with its response_count and last_sequence.
  absl::StatusOr<v1::Wave> WithTally(v1::Wave wave);
  absl::StatusOr<uint64_t> LastSequence(const std::string& wave) { return store_.LastSequence(wave); }

  // What respondent keys of the wave are made with. When there is none yet it is made, or "" is returned when `create` is false.
  absl::StatusOr<std::string> Secret(const std::string& wave, bool create);

 private:
  // The end of a wave's feed as this process left it. Commits of one wave follow each other, since each event's sequence stands in the
  // response too; the work before and after them does not.
  struct Tally {
    std::mutex mutex;
    bool known = false;
    uint64_t version = 0;
    v1::Wave counts;
  };

  // One try; ABORTED/CONCURRENT_CHANGE when somebody else was first.
  absl::StatusOr<v1::Response> TryWithdraw(const v1::WithdrawResponseRequest& request, const std::string& digest);
  Tally& TallyOf(const std::string& wave);
  absl::Status Read(const std::string& wave, Tally& tally);
  // The response of a document response/<id>.
  absl::StatusOr<v1::Response> Read(const std::string& wave, const storage::Document& document);
  // The response of which an event holds all but `remainder`.
  absl::StatusOr<v1::Response> Complete(const std::string& wave, const v1::Response& remainder);

  storage::Store& store_;
  std::mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Tally>> tallies_;
  absl::flat_hash_map<std::string, std::string> secrets_;
};

}  // namespace peiling::intake
