// The mail of a wave, and where its fieldwork wants to end.
#pragma once

#include "peiling/intake/v1/intake.pb.h"
#include "services/common/yaml/reader.h"

namespace peiling::survey {

// Reads `mailing` and `targets` of a wave's document into it. A step without words of its own gets DefaultTemplate's, and a plan without
// a step for colleagues one of id "colleague".
void ReadMailing(yaml::Map& map, intake::v1::Wave& wave);

}  // namespace peiling::survey
