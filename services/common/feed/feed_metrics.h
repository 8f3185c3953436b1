// How far feeds and those who follow them are, as metrics; the difference of the two is the lag.
//
// peiling_feed_end{feed,wave,partition}: last sequence of a feed, as whoever serves it last saw it.
// peiling_feed_position{follower,feed,wave,partition}: sequence up to which a follower has taken it in.
//
// Cheap enough to be called for every batch. Thread-safe. At most kMaxFeedSeries series of each; further feeds are left out, with one
// warning in the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace peiling::feed {

constexpr size_t kMaxFeedSeries = 1'000;

// What feeds hold: names for `feed` below.
constexpr std::string_view kSubmissions = "submissions";
constexpr std::string_view kRecords = "records";

// `wave` is a resource name, "surveys/s/waves/w"; `partition` counts from 0 (0 for records). Ends only grow: an older one is ignored.
void RecordEnd(std::string_view feed, std::string_view wave, int partition, uint64_t sequence);

// `follower` is the service: "dedup", "analytics".
void RecordPosition(std::string_view follower, std::string_view feed, std::string_view wave, int partition, uint64_t sequence);

}  // namespace peiling::feed
