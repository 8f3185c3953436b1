// The classes municipalities of a wave fall into, as analytics has them.
#pragma once

#include <string>
#include <vector>

#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// A class of municipalities.
struct Stratum {
  // "total", "size_class", "province", "group".
  std::string kind;
  // "total", "UNDER_50K", "Utrecht", "G40".
  std::string code;
  // Dutch.
  std::string label;
  // Positions in the frame.
  std::vector<size_t> municipalities;
};

// The total, size classes (all four; unknown when somebody's is), provinces by name, groups by name (G4 before G40).
std::vector<Stratum> StrataOf(const WaveDetails& wave);

}  // namespace peiling::fieldwork
