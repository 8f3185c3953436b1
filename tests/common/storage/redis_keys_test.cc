// Names, slots and packing of what is kept in Redis.
#include "services/common/storage/redis_keys.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace peiling::storage {
namespace {

TEST(RedisKeys, SlotsAreThoseOfTheClusterSpecification) {
  struct Case {
    std::string key;
    int slot;
  };
  const Case cases[] = {
      // The specification's check value of the CRC, 0x31C3, and what CLUSTER KEYSLOT of Redis 7 says.
      {"123456789", 0x31C3 % kRedisSlots},
      {"", 0},
      {"foo", 12182},
      {"{foo}bar", 12182},
      {"a{foo}{bar}", 12182},
      {"foo{}{bar}", 8363},
      {"foo{bar", 15278},
      {"foo{{bar}}zap", 4015},
  };
  for (const Case& c : cases) EXPECT_EQ(RedisSlot(c.key), c.slot) << c.key;
}

TEST(RedisKeys, KeysOfAPartitionShareASlotAndNoOtherPartitionHasThem) {
  const std::vector<std::string> partitions = {
      "", "%", "}", "}x", "a", "a}", "{a}", "a}:data", "{", "%7D", "a}:feed}", "%25", "\xff", "a%7D:data", "surveys/s/waves/w#1"};
  std::set<std::string> seen;
  for (const std::string& partition : partitions) {
    const RedisKeys keys("owner", partition);
    for (const std::string& key : {keys.data, keys.index, keys.feed}) {
      EXPECT_EQ(RedisSlot(key), keys.slot) << partition;
      EXPECT_TRUE(seen.insert(key).second) << key;
      EXPECT_EQ(key.rfind("owner:", 0), 0u);
    }
  }
}

TEST(RedisKeys, DocumentsArePackedWithoutLoss) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const SavedDocument documents[] = {
      {"k", "", 1, 0},
      {"k", bytes, 18446744073709551615u, 7},
      {"k", " - + 5", 2, 18446744073709551615u},
      {"k", std::nullopt, 3, 0},
  };
  for (const SavedDocument& document : documents) {
    const auto unpacked = UnpackDocument("k", PackDocument(document));
    ASSERT_TRUE(unpacked.has_value());
    EXPECT_EQ(unpacked->key, "k");
    EXPECT_EQ(unpacked->value, document.value);
    EXPECT_EQ(unpacked->version, document.version);
    EXPECT_EQ(unpacked->sequence, document.sequence);
  }
  for (const char* packed : {"", "1", "1 ", "1 2", "1 2 ", "x 2 +", "1 2 *", "1 2 -left", " 1 2 +", "-1 2 +", "99999999999999999999 2 +"}) {
    EXPECT_FALSE(UnpackDocument("k", packed).has_value()) << packed;
  }
}

TEST(RedisKeys, RangesBeginAfterAKeyAndEndWithThePrefix) {
  struct Case {
    std::string prefix, after, least, most;
  };
  const Case cases[] = {
      {"", "", "[+", "(,"},
      {"a", "", "[+a", "(+b"},
      {"a/", "a/1", "(+a/1", "(+a0"},
      {"b", "a", "[+b", "(+c"},
      {"a", "b", "(+b", "(+b"},
      {"\xff\xff", "", "[+\xff\xff", "(,"},
      {"a\xff", "", "[+a\xff", "(+b"},
  };
  for (const Case& c : cases) {
    const RedisRange range = IndexRange("+", c.prefix, c.after);
    EXPECT_EQ(range.least, c.least);
    EXPECT_EQ(range.most, c.most);
  }
}

}  // namespace
}  // namespace peiling::storage
