// Random histories of the sample wave, and everything that can be asked about it.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "peiling/dedup/v1/dedup.pb.h"
#include "services/analytics/live_wave.h"

namespace peiling::analytics::samples {

// Events of one record feed: records that come, change and go, and decisions. The same from the same seed, on every machine.
class RandomEvents {
 public:
  explicit RandomEvents(uint64_t seed) : random_(seed) {}
  dedup::v1::RecordEvent Next();

 private:
  int Below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }
  dedup::v1::Record Record();
  dedup::v1::Decision Decision();

  std::mt19937_64 random_;
  uint64_t sequence_ = 0;
};

// All tables, by everything they can be divided by, the fieldwork on several days, and the position: as text.
std::string AllAnswers(const LiveWave& wave);

}  // namespace peiling::analytics::samples
