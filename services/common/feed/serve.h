// Serving a stored feed as a watch: replay after a sequence, a marker when caught up, then follow.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "services/common/storage/store.h"

namespace peiling::feed {

// What a watch does with the feed. Each returns false when the client is gone.
struct Sink {
  std::function<bool(const storage::FeedEvent&)> event;
  std::function<bool(uint64_t sequence)> caught_up;
  // Asked between events and while waiting, at least every second.
  std::function<bool()> cancelled;
  // Told how far the feed reaches at least, at the beginning and as events are read.
  std::function<void(uint64_t sequence)> reaches = [](uint64_t) {};
};

// Runs until the client is gone (CANCELLED/CLIENT_GONE), the store is interrupted (UNAVAILABLE/SHUTTING_DOWN) or fails. A sink that blocks
// (a client that does not read) holds this call and a bounded read-ahead, nothing else. OUT_OF_RANGE/SEQUENCE_IN_FUTURE when
// `after_sequence` is beyond the feed.
absl::Status Serve(storage::Store& store, const std::string& partition, uint64_t after_sequence, const Sink& sink);

}  // namespace peiling::feed
