// Which municipalities took part in an earlier wave too, themselves or through a merger.
#pragma once

#include "peiling/registry/v1/registry.pb.h"
#include "services/analytics/bitmap.h"
#include "services/analytics/frame.h"

namespace peiling::analytics {

// Municipalities of `frame` (by MunicipalityIndex) of which one of the codes they come from (`lineages`: code on this wave's frame date →
// codes on the earlier wave's) is among `earlier_participants` of `earlier_frame`.
Bitmap TookPart(const Frame& frame, const registry::v1::TraceLineageResponse& lineages, const Frame& earlier_frame,
                const Bitmap& earlier_participants);

}  // namespace peiling::analytics
