// Days of the fieldwork of a wave, in Europe/Amsterdam.
#pragma once

#include <optional>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/intake.pb.h"

namespace peiling::fieldwork {

// The day it opens; nullopt when its document does not say.
std::optional<absl::CivilDay> OpeningDay(const intake::v1::Wave& wave);
// The last day of which it is open; nullopt when that is not known.
std::optional<absl::CivilDay> ClosingDay(const intake::v1::Wave& wave);
// From 1 on the day it opens to the number of the day it closes, which it stays at; 0 before.
int FieldworkDay(const intake::v1::Wave& wave, absl::Time now);
// The day with a number, at the latest the day it closes; only of a wave with an opening day.
absl::CivilDay DayWithNumber(const intake::v1::Wave& wave, int number);

// Whether it takes no answers any more.
bool IsOver(const intake::v1::Wave& wave, absl::Time now);

}  // namespace peiling::fieldwork
