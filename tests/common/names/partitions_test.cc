#include "services/common/names/partitions.h"

#include <vector>

#include "gtest/gtest.h"

namespace peiling::names {
namespace {

// Computed with another implementation of FNV-1a: where a response lies must not change from one version to the next.
TEST(Partitions, StayTheSameForEver) {
  EXPECT_EQ(PartitionOf("", 64), 50);
  EXPECT_EQ(PartitionOf("a", 64), 43);
  EXPECT_EQ(PartitionOf("foobar", 64), 33);
}

TEST(Partitions, OneTakesAll) {
  EXPECT_EQ(PartitionOf("101", 1), 0);
  EXPECT_EQ(PartitionOf("", 1), 0);
}

TEST(Partitions, ShareEvenly) {
  constexpr int kPartitions = 16;
  std::vector<int> counts(kPartitions);
  for (int i = 0; i < 16'000; ++i) ++counts.at(PartitionOf(std::to_string(i), kPartitions));
  for (const int count : counts) {
    EXPECT_GT(count, 800);
    EXPECT_LT(count, 1200);
  }
}

TEST(Partitions, AreNamedAfterTheirWave) {
  EXPECT_EQ(PartitionName("surveys/s/waves/w", 0), "surveys/s/waves/w");
  EXPECT_EQ(PartitionName("surveys/s/waves/w", 12), "surveys/s/waves/w#12");
}

}  // namespace
}  // namespace peiling::names
