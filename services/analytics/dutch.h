// What people see: Dutch labels of classes, and numbers as Dutch writes them.
#pragma once

#include <cstdint>
#include <string>

#include "peiling/survey/v1/answers.pb.h"
#include "peiling/survey/v1/published.pb.h"

namespace peiling::analytics {

// With dots between thousands: "1.234.567".
std::string DutchNumber(int64_t number);
// "63 van 90 (70 procent)"; without the percentage when n is 0.
std::string DutchShare(int64_t k, int64_t n);
// "Gestarte vragenlijsten".
std::string FieldworkLabel(survey::v1::FieldworkCount count);
// "Minder dan 50.000 inwoners", "G40", "Buiten G40", "Deed ook mee in 2019".
std::string StratumLabel(const survey::v1::StratumFilter& filter);

}  // namespace peiling::analytics
