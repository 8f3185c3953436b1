#include "services/common/names/partitions.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace peiling::names {

int PartitionOf(std::string_view id, int partitions) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : id) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  // Alone, it puts ids that differ in their last characters alone ("101", "102") into the same partition.
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  hash ^= hash >> 33;
  return static_cast<int>(((hash >> 32) * static_cast<uint64_t>(partitions)) >> 32);
}

std::string PartitionName(const std::string& wave, int partition) { return partition == 0 ? wave : absl::StrCat(wave, "#", partition); }

}  // namespace peiling::names
