// Size classes of municipalities, as tables and plans name them.
#pragma once

#include <string>

#include "peiling/survey/v1/answers.pb.h"

namespace peiling::survey {

// "UNDER_50K".
std::string SizeClassCode(v1::SizeClass size_class);
// As people see it, Dutch: "Minder dan 50.000 inwoners".
std::string SizeClassLabel(v1::SizeClass size_class);

}  // namespace peiling::survey
