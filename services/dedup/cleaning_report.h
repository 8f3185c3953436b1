// Keeping the cleaning report up to date, one changed document at a time: take the old away, add the new.
#pragma once

#include "peiling/dedup/v1/dedup.pb.h"

namespace peiling::dedup {

// `sign` is +1 for what is there, -1 for what was there.
void Count(const v1::Decision& decision, int sign, v1::CleaningReport& report);
void Count(const v1::Record& record, int sign, v1::CleaningReport& report);
void Count(const v1::Case& survey_case, int sign, v1::CleaningReport& report);

// Adds one share of a report to another.
void Add(const v1::CleaningReport& share, v1::CleaningReport& report);

}  // namespace peiling::dedup
