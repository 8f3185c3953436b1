// Changes of waves' times: written in a document, or made while the wave runs. Each is a document of the catalogue,
//   wave-change/<wave>/<number>   v1::WaveChange
//   scheduled/<wave>              v1::Wave, with the times alone that its document said when it was last applied
//   erasure/<wave>                there once the erasure of the wave's personal answers has begun, with "done" once it has ended: its times
//                                 are fixed then
// What is done while a wave runs stands until its document says something else about it than it said before: an extension until it says
// another time to close, whatever becomes of the grace. With another time to close the grace is as the document says, too, and the
// beginning of a wave that was called off before it opened.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/storage/store.h"

namespace peiling::intake {

// Where they are; of one, with its number.
std::string WaveChangesPrefix(const std::string& wave);
std::string WaveChangeKey(const std::string& wave, int64_t number);
std::string ScheduledKey(const std::string& wave);
std::string ErasureKey(const std::string& wave);

// All changes of a wave, oldest first. The store's errors.
absl::StatusOr<std::vector<v1::WaveChange>> ReadWaveChanges(storage::Store& store, const std::string& wave);

// opens_at, closes_at and grace_period alone.
v1::Wave TimesOf(const v1::Wave& wave);
void SetTimes(const v1::Wave& times, v1::Wave& wave);
// The times a wave has (`now`) once its document, which said `before` last, says `document`: each of the three changes when the document
// says something else of it, and what closing it took away comes back with a new closes_at.
v1::Wave MergeTimes(const v1::Wave& before, const v1::Wave& document, const v1::Wave& now);
// The change that comes after these.
v1::WaveChange NextChange(const std::vector<v1::WaveChange>& changes, v1::WaveChangeKind kind, const v1::Wave& wave, absl::Time now,
                          const std::string& caller);

// One try at Catalog::Open, Close and Extend. ABORTED/CONCURRENT_CHANGE when the wave changed meanwhile: nothing is done then, and it may
// be tried again.
absl::StatusOr<v1::Wave> OpenWave(storage::Store& store, const v1::OpenWaveRequest& request, const std::string& caller, absl::Time now);
absl::StatusOr<v1::Wave> CloseWave(storage::Store& store, const v1::CloseWaveRequest& request, const std::string& caller, absl::Time now);
absl::StatusOr<v1::Wave> ExtendWave(storage::Store& store, const v1::ExtendWaveRequest& request, const std::string& caller, absl::Time now);

// How far the erasure of a wave's personal answers is.
enum class ErasureStage { kNotDue, kUnderWay, kDone };
// Begins it when the time for it has come (ErasedAt) and the wave has taken in anything. WAVE_NOT_FOUND.
absl::StatusOr<ErasureStage> BeginErasure(storage::Store& store, const std::string& wave, absl::Time now);
// Records that it is done, once.
absl::Status FinishErasure(storage::Store& store, const std::string& wave, absl::Time now);

}  // namespace peiling::intake
