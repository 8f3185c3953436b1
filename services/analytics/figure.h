// Figures: a count out of a base, and what it comes to.
#pragma once

#include <cstdint>
#include <optional>

#include "peiling/analytics/v1/analytics.pb.h"

namespace peiling::analytics {

// A count out of a base. k ≤ n.
struct Counted {
  int64_t k = 0;
  int64_t n = 0;
};

// 100·k/n rounded half up, in whole numbers, so that no binary fraction ever decides; nullopt when n is 0.
inline std::optional<int32_t> Percent(Counted counted) {
  if (counted.n == 0) return std::nullopt;
  return static_cast<int32_t>((200 * counted.k + counted.n) / (2 * counted.n));
}

inline v1::Figure ToFigure(Counted counted) {
  v1::Figure figure;
  figure.set_k(counted.k);
  figure.set_n(counted.n);
  if (const auto percent = Percent(counted)) {
    figure.set_share(static_cast<double>(counted.k) / static_cast<double>(counted.n));
    figure.set_percent(*percent);
  }
  return figure;
}

}  // namespace peiling::analytics
