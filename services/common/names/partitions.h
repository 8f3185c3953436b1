// The partitions of a wave: which of them a response lies in, and what each is called in a store.
#pragma once

#include <string>
#include <string_view>

namespace peiling::names {

// Most partitions a wave can have.
inline constexpr int kMaxPartitions = 64;

// Partition, from 0, of what has this id (a response, a request) in a wave of so many partitions. The same for ever, on every machine:
// FNV-1a of 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/), mixed with MurmurHash3's finalizer
// (https://github.com/aappleby/smhasher/wiki/MurmurHash3), of which the high half is spread over the partitions.
int PartitionOf(std::string_view id, int partitions);

// What a wave's partition is called in a store: the wave's name for partition 0, then "surveys/s/waves/w#1", …
std::string PartitionName(const std::string& wave, int partition);

}  // namespace peiling::names
