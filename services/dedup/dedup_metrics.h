// Figures about this replica of dedup, for operators. Thread-safe.
#pragma once

#include <cstddef>
#include <string>

namespace peiling::dedup {

// peiling_dedup_lost_races_total{wave}: steps that another replica's came before, and that were made again.
void CountLostRace(const std::string& wave);
// peiling_dedup_owned_partitions: partitions of waves whose submissions this replica takes in.
void SetOwnedPartitions(size_t partitions);
// peiling_dedup_poisoned_events{wave,partition}: submissions set aside because they could not be taken in, as the replica that
// follows the partition last saw it; 0 at all others.
void SetPoisonedEvents(const std::string& wave, int partition, size_t events);

}  // namespace peiling::dedup
