// Which municipalities took part in an earlier wave too, themselves or through a merger.
#pragma once

#include "peiling/registry/v1/registry.pb.h"
#include "services/analytics/bitmap.h"
#include "services/analytics/frame.h"

namespace peiling::analytics {

// Municipalities of `frame` (by MunicipalityIndex) that an earlier participant went on as, unchanged, renamed or merged. `lineages`: code
// on the earlier wave's frame date → codes on this wave's. What was split went on as no one municipality: its answers are about all of its
// parts, so it links to none.
Bitmap TookPart(const Frame& frame, const registry::v1::TraceLineageResponse& lineages, const Frame& earlier_frame,
                const Bitmap& earlier_participants);

}  // namespace peiling::analytics
