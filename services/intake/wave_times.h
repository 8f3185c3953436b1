// When a wave takes answers. Functions of a wave's times and the time it is, without state.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/intake.pb.h"

namespace peiling::intake {

// Without times UNSCHEDULED.
v1::WaveState StateAt(const v1::Wave& wave, absl::Time now);

// When personal data are to be erased; nullopt: not by themselves. They are some months after the wave closes, and
// not while it still takes answers; without closes_at, after the end of `closed`, when it says how many months: a wave that took place long
// ago may still be imported or studied.
std::optional<absl::Time> ErasedAt(const v1::Wave& wave);

// Fills in what is not stored: the state at `now`, personal_data_erased_at, and the days of fieldwork that its document leaves to its
// times.
void FillIn(v1::Wave& wave, absl::Time now);

// OK when the wave takes answers at `now`; in its grace only to what was begun before it closed
// (nullopt: that is not known, so no). FAILED_PRECONDITION/WAVE_PLANNED and WAVE_CLOSED (metadata: wave, opens_at, closes_at, RFC 3339, as
// far as it has them) with a message in Dutch for who answers; PERSONAL_DATA_ERASED once its personal answers are to be gone.
absl::Status CheckTakesAnswers(const v1::Wave& wave, absl::Time now, std::optional<absl::Time> begun_at);
// The last of these alone: for what is taken in at any time before (imports).
absl::Status CheckNotErased(const v1::Wave& wave, absl::Time now);

// Until when what was begun in time is taken: closes_at and the grace; nullopt: without end.
std::optional<absl::Time> TakenUntil(const v1::Wave& wave);

}  // namespace peiling::intake
