#include "services/analytics/wave_overlap.h"

namespace peiling::analytics {

Bitmap TookPart(const Frame& frame, const registry::v1::TraceLineageResponse& lineages, const Frame& earlier_frame,
                const Bitmap& earlier_participants) {
  Bitmap took_part;
  for (const auto& lineage : lineages.lineages()) {
    const MunicipalityIndex earlier = earlier_frame.Find(lineage.code());
    if (earlier == kNotInFrame || !earlier_participants.Test(earlier) || lineage.codes_size() != 1) continue;
    const MunicipalityIndex municipality = frame.Find(lineage.codes(0));
    if (municipality != kNotInFrame) took_part.Set(municipality);
  }
  return took_part;
}

}  // namespace peiling::analytics
