// The times of a wave in YAML: `opened`, `first_deadline`, `closed`, `opens`, `closes`, `grace`, `retention_months`.
#pragma once

#include "peiling/intake/v1/intake.pb.h"
#include "services/common/yaml/reader.h"

namespace peiling::survey {

// Days that the document leaves to `opens` and `closes` stay empty.
void ReadTimes(yaml::Map& map, intake::v1::Wave& wave);

}  // namespace peiling::survey
