// The figures of a `kind: published` file.
#pragma once

#include "peiling/survey/v1/published.pb.h"
#include "services/common/yaml/reader.h"

namespace peiling::survey {

// Size classes by their codes, as in tables.
extern const yaml::Words<v1::SizeClass> kSizeClasses;

// Reads `source`, `figures`, `questions`, `matrices`, `trends` and `claims`.
v1::PublishedReport ReadPublishedReport(yaml::Map& map);

}  // namespace peiling::survey
