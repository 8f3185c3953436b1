// What intake counts of itself, for the metrics endpoint.
#pragma once

#include <cstddef>

#include "peiling/intake/v1/intake.pb.h"

namespace peiling::intake {

// What became of a response.
enum class Outcome { kSubmitted, kRefused, kImportAdded, kImportUpdated, kImportUnchanged, kImportRefused, kWithdrawn };

void CountResponse(Outcome outcome);
// A row of an import.
void CountRow(v1::ImportOutcome outcome);
// Waves past the time of their personal answers that could not be erased in the last sweep.
void SetErasuresOverdue(size_t waves);
// Submissions waiting for their group.
void SetWaiting(size_t waiting);

}  // namespace peiling::intake
