// The numbers of a wave by class of municipalities.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/fieldwork/v1/progress.pb.h"
#include "services/fieldwork/progress/standing.h"
#include "services/fieldwork/progress/strata.h"

namespace peiling::fieldwork {

// What analytics says of an earlier wave.
struct EarlierWave {
  std::string name;
  analytics::v1::Progress same_day;
  analytics::v1::Progress at_end;
};

// What a wave is compared with; what analytics could not tell is missing.
struct ResponseSoFar {
  std::optional<analytics::v1::Progress> now;
  std::vector<EarlierWave> earlier;
};

// A line for each of the strata, in their order. `standings` are those of the frame, in its order.
std::vector<v1::FieldworkLine> LinesOf(const intake::v1::Wave& wave, const std::vector<Stratum>& strata,
                                       const std::vector<Standing>& standings, const ResponseSoFar& response);

}  // namespace peiling::fieldwork
