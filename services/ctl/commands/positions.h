// --min-submissions, --min-records: figures that count at least so much.
#pragma once

#include <cstdint>
#include <vector>

#include "CLI/App.hpp"
#include "peiling/survey/v1/feed.pb.h"

namespace peiling::ctl {

// A FeedPosition as flags.
struct MinimumPosition {
  // By partition.
  std::vector<uint64_t> submissions;
  uint64_t records = 0;

  void AddFlags(CLI::App& command);
  survey::v1::FeedPosition ToProto() const;
};

}  // namespace peiling::ctl
