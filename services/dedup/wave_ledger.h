// The state of one wave: takes in submissions and rulings, and commits with each what follows from it: decisions, cases, records, the
// cleaning report and an event on the record feed, all or nothing.
//
// Several processes may hold a ledger of the same wave over the same store. Each step is committed on condition that nothing it has read
// has changed since; the one that loses reads again. So it does not matter who takes in which partition of the wave, nor whether two do at
// once.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "google/protobuf/timestamp.pb.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/storage/store.h"
#include "services/dedup/step.h"
#include "services/dedup/wave_setup.h"

namespace peiling::dedup {

// Which municipalities each text means on a date; as many resolutions as texts. Errors stop the step; it may be tried again.
using Resolve =
    std::function<absl::StatusOr<std::vector<registry::v1::Resolution>>(const std::vector<std::string>& texts, const std::string& as_of)>;
using Clock = std::function<google::protobuf::Timestamp()>;

// Thread-safe. Every method may also return the store's errors, among them ABORTED/CONCURRENT_CHANGE when it lost too many races;
// FAILED_PRECONDITION/WAVE_NOT_READY when the wave is not set up, FAILED_PRECONDITION/SET_UP_ANEW when another process set it up otherwise
// meanwhile (Prepare, then try again), FAILED_PRECONDITION/OTHER_POLICY when it is another version's to decide about it.
class WaveLedger {
 public:
  // The store must outlive it. `clock` dates rulings; nothing else depends on time.
  WaveLedger(storage::Store& store, std::string wave, Clock clock);

  const std::string& wave() const { return wave_; }

  // Reads how the wave was last set up; false when it never was. INVALID_ARGUMENT when its questions do not compile.
  absl::StatusOr<bool> Load();
  // Sets the wave up, and unless all has been decided with these questions, this frame and this policy resolves and decides it again.
  // Others may take steps meanwhile: from the beginning of this on only with the new setup.
  absl::Status Prepare(const WaveSource& source, const Resolve& resolve);

  // Takes in events of a partition's submission feed, in their order; those taken in before are passed over.
  // FAILED_PRECONDITION/SEQUENCE_GAP when one is missing.
  absl::Status Apply(int partition, absl::Span<const intake::v1::SubmissionEvent> events, const Resolve& resolve);
  // Last sequence of the partition's submission feed that is taken in.
  absl::StatusOr<uint64_t> SubmissionSequence(int partition);

  // Goes past an event that cannot be taken in, and keeps it with the reason. Of one that cannot be read the sequence alone is given.
  // RESOURCE_EXHAUSTED/TOO_MANY_SET_ASIDE when there are kMostSetAside in the partition: then it is not the events that are at fault.
  absl::Status SetAside(int partition, const intake::v1::SubmissionEvent& event, const absl::Status& why);
  // Sequences of the events that are set aside.
  absl::StatusOr<std::vector<uint64_t>> ListSetAside(int partition);
  // Takes in one that was set aside after all, unless its response has changed since; it is no longer set aside then.
  absl::Status TakeInLate(int partition, const intake::v1::SubmissionEvent& event, const Resolve& resolve);

  // Errors as in dedup.proto; the requests were checked. `caller`: subject of who asks; empty for a service on its own account.
  absl::StatusOr<v1::CreateRulingResponse> CreateRuling(const v1::CreateRulingRequest& request, const std::string& caller = "");
  absl::StatusOr<v1::RetractRulingResponse> RetractRuling(const v1::RetractRulingRequest& request, const std::string& caller = "");

  static constexpr size_t kMostSetAside = 100;

 private:
  using Setup = std::shared_ptr<const WaveSetup>;

  Setup setup();
  void Adopt(Setup setup);
  // Whether this process may decide about the wave.
  absl::Status CheckReady(const Setup& setup) const;

  // Puts `source` in the place of what the wave was set up with; the ledger knows it then.
  absl::Status WriteSetup(const WaveSource& source);
  // Decides all there is with `setup`.
  absl::Status DecideAgain(const Setup& setup, const Resolve& resolve);
  absl::Status FinishSetup(const WaveSetup& setup);

  absl::StatusOr<std::vector<registry::v1::Resolution>> ResolveAll(const WaveSetup& setup,
                                                                   absl::Span<const intake::v1::SubmissionEvent> events,
                                                                   const Resolve& resolve) const;

  // Makes a step as often as it loses to others; pauses between the attempts. `attempt` is one of the Try… below, called with steps_ locked
  // and the setup, which is `wanted` where that is given.
  template <typename Attempt>
  auto Retry(Attempt attempt, const Setup& wanted = nullptr) -> decltype(attempt(std::declval<const WaveSetup&>()));

  absl::Status TryDecideAgain(const WaveSetup& setup, const std::vector<storage::Document>& responses,
                              const std::vector<registry::v1::Resolution>& resolutions);
  absl::Status TryApply(const WaveSetup& setup, int partition, absl::Span<const intake::v1::SubmissionEvent> events,
                        const std::vector<registry::v1::Resolution>& resolutions);
  absl::Status TrySetAside(const WaveSetup& setup, int partition, const intake::v1::SubmissionEvent& event, const absl::Status& why);
  absl::Status TryTakeInLate(const WaveSetup& setup, int partition, const intake::v1::SubmissionEvent& event,
                             const registry::v1::Resolution& resolution);
  absl::StatusOr<v1::CreateRulingResponse> TryCreateRuling(const WaveSetup& setup, const v1::CreateRulingRequest& request,
                                                           const std::string& caller);
  absl::StatusOr<v1::RetractRulingResponse> TryRetractRuling(const WaveSetup& setup, const v1::RetractRulingRequest& request,
                                                             const std::string& caller);
  // Puts a made or retracted ruling in the place of `number` (from 1), decides again what it touches, and commits that with the answer's
  // receipt.
  template <typename Response>
  absl::StatusOr<Response> FinishRuling(const WaveSetup& setup, Step& step, size_t number, const v1::Ruling& ruling,
                                        const std::string& request_id, const std::string& digest, Response response);

  storage::Store& store_;
  const std::string wave_;
  const Clock clock_;
  // One Prepare at a time in this process: who comes second finds it done. Locked before the others.
  std::mutex preparing_;
  // One step at a time in this process; the store would refuse the others anyway. Guards known_rulings_.
  std::mutex steps_;
  KnownRulings known_rulings_;
  // Guards setup_; locked last.
  std::mutex mutex_;
  Setup setup_;
};

}  // namespace peiling::dedup
