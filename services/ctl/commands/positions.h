// --min-submissions, --min-records: figures that count at least so much.
#pragma once

#include "CLI/App.hpp"
#include "peiling/survey/v1/feed.pb.h"

namespace peiling::ctl {

// A FeedPosition as flags.
struct MinimumPosition {
  uint64_t submissions = 0;
  uint64_t records = 0;

  void AddFlags(CLI::App& command);
  survey::v1::FeedPosition ToProto() const;
};

}  // namespace peiling::ctl
