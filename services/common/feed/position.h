// Positions in the feeds of a wave (FeedPosition): a sequence for each partition of its submission feed, and one of its record feed.
#pragma once

#include <cstdint>
#include <string>

#include "peiling/survey/v1/feed.pb.h"

namespace peiling::feed {

// Sequence in the submission feed of a partition, from 0.
uint64_t Submissions(const survey::v1::FeedPosition& position, int partition);
void SetSubmissions(survey::v1::FeedPosition& position, int partition, uint64_t sequence);

// The sequences in the order of the partitions: "12", "12,9,14".
std::string SubmissionsText(const survey::v1::FeedPosition& position);

// Whether `position` is at `wanted` or beyond, in every feed.
bool Reached(const survey::v1::FeedPosition& position, const survey::v1::FeedPosition& wanted);

// Moves `position` on to `other` in every feed where that is further.
void Advance(survey::v1::FeedPosition& position, const survey::v1::FeedPosition& other);

}  // namespace peiling::feed
