// The state of one wave: takes in submissions and rulings, and commits with each what follows from it: decisions, cases, records, the
// cleaning report and one event on the record feed, all or nothing.
//
// Several processes may hold a ledger of the same wave over the same store; the version of the position document orders them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "google/protobuf/timestamp.pb.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/storage/store.h"
#include "services/dedup/rulings.h"
#include "services/dedup/wave_setup.h"
#include "services/dedup/workspace.h"

namespace peiling::dedup {

// Which municipalities each text means on a date; as many resolutions as texts. Errors stop the step; it may be tried again.
using Resolve =
    std::function<absl::StatusOr<std::vector<registry::v1::Resolution>>(const std::vector<std::string>& texts, const std::string& as_of)>;
using Clock = std::function<google::protobuf::Timestamp()>;

// Thread-safe. Every method may also return the store's errors.
class WaveLedger {
 public:
  // The store must outlive it. `clock` dates rulings; nothing else depends on time.
  WaveLedger(storage::Store& store, std::string wave, Clock clock);

  const std::string& wave() const { return wave_; }

  // Reads how the wave was last set up; false when it never was.
  absl::StatusOr<bool> Load();
  // Sets the wave up, and when its questions, its frame or the policy are others than before resolves and decides all it has again.
  absl::Status Prepare(const WaveSource& source, const Resolve& resolve);

  // Takes in events of the submission feed, in their order; those taken in before are passed over. FAILED_PRECONDITION/SEQUENCE_GAP when
  // one is missing; FAILED_PRECONDITION/WAVE_NOT_READY when the wave is not set up.
  absl::Status Apply(absl::Span<const intake::v1::SubmissionEvent> events, const Resolve& resolve);
  // Last sequence of the submission feed that is taken in.
  absl::StatusOr<uint64_t> SubmissionSequence();

  // Errors as in dedup.proto; the requests were checked.
  absl::StatusOr<v1::CreateRulingResponse> CreateRuling(const v1::CreateRulingRequest& request);
  absl::StatusOr<v1::RetractRulingResponse> RetractRuling(const v1::RetractRulingRequest& request);

 private:
  struct Step;

  std::shared_ptr<const WaveSetup> setup();
  absl::Status TryApply(absl::Span<const intake::v1::SubmissionEvent> events, const std::vector<registry::v1::Resolution>& resolutions);
  absl::Status DecideAgain(const Resolve& resolve);
  absl::Status DecideAgain(const std::vector<intake::v1::Response>& responses, const std::vector<registry::v1::Resolution>& resolutions);
  absl::StatusOr<v1::CreateRulingResponse> TryCreateRuling(const v1::CreateRulingRequest& request);
  absl::StatusOr<v1::RetractRulingResponse> TryRetractRuling(const v1::RetractRulingRequest& request);
  // Decides again what a made or retracted ruling touches, and commits that with the answer's receipt.
  template <typename Response>
  absl::StatusOr<Response> FinishRuling(Step& step, const v1::Ruling& ruling, const std::string& request_id, const std::string& digest,
                                        Response response);
  absl::Status CheckRuling(const v1::Ruling& ruling, Step& step) const;

  storage::Store& store_;
  const std::string wave_;
  const Clock clock_;
  // One step at a time in this process; the store would refuse the others anyway.
  std::mutex mutex_;
  std::shared_ptr<const WaveSetup> setup_;
};

}  // namespace peiling::dedup
