#include "services/analytics/wave_overlap.h"

#include <algorithm>

namespace peiling::analytics {

Bitmap TookPart(const Frame& frame, const registry::v1::TraceLineageResponse& lineages, const Frame& earlier_frame,
                const Bitmap& earlier_participants) {
  Bitmap took_part;
  for (const auto& lineage : lineages.lineages()) {
    const MunicipalityIndex municipality = frame.Find(lineage.code());
    if (municipality == kNotInFrame) continue;
    const bool participated = std::any_of(lineage.codes().begin(), lineage.codes().end(), [&](const std::string& code) {
      const MunicipalityIndex earlier = earlier_frame.Find(code);
      return earlier != kNotInFrame && earlier_participants.Test(earlier);
    });
    if (participated) took_part.Set(municipality);
  }
  return took_part;
}

}  // namespace peiling::analytics
