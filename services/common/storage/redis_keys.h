// How partitions and documents are called and packed in Redis. Private to this library.
//
// Keys of the partition P of the owner N ("%" and "}" in P are escaped; the braces make it a hash tag, so that a Cluster keeps them
// together):
//   N:{P}:data    hash: "d" + key to a packed document; "#last" and "#durable", the last sequence of the feed and the last that is durable
//   N:{P}:index   sorted set, all scores 0: "+" + key for every document there is, "-" + key for every deleted one
//   N:{P}:feed    stream: the event with sequence S has the id S-0 and one field
//   N:partitions  sorted set, all scores 0: the partitions; each was put there before its first commit
// A packed document is "VERSION SEQUENCE +" and the value, or "VERSION SEQUENCE -" when it is deleted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/common/storage/store.h"

namespace peiling::storage {

struct RedisKeys {
  RedisKeys(const std::string& name, const std::string& partition);
  std::string data, index, feed;
  int slot = 0;
};

std::string RedisPartitionList(const std::string& name);

// The slot of a key in a Cluster: CRC16 (XMODEM) of its hash tag, modulo 16384 (https://redis.io/docs/reference/cluster-spec/).
inline constexpr int kRedisSlots = 16384;
int RedisSlot(std::string_view key);

std::string PackDocument(const SavedDocument& document);
// Nothing when the bytes are no packed document.
std::optional<SavedDocument> UnpackDocument(std::string_view key, std::string_view packed);

// A range of a sorted set as ZRANGEBYLEX takes it.
struct RedisRange {
  std::string least, most;
};
// Members that begin with `sign` + `prefix` and sort after `sign` + `after`; an empty `after` is before all.
RedisRange IndexRange(std::string_view sign, const std::string& prefix, const std::string& after);

}  // namespace peiling::storage
