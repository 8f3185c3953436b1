#include "services/common/names/partitions.h"

#include <vector>

#include "gtest/gtest.h"

namespace peiling::names {
namespace {

// Computed with another implementation: where a response lies must not change from one version to the next.
TEST(Partitions, StayTheSameForEver) {
  EXPECT_EQ(PartitionOf("", 64), 59);
  EXPECT_EQ(PartitionOf("a", 64), 32);
  EXPECT_EQ(PartitionOf("foobar", 64), 11);
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

TEST(Partitions, ShareTheFirstIdsOfAnExportToo) {
  constexpr int kPartitions = 8;
  std::vector<int> counts(kPartitions);
  for (int i = 1; i <= 160; ++i) ++counts.at(PartitionOf(std::to_string(i), kPartitions));
  for (const int count : counts) {
    EXPECT_GT(count, 8);
    EXPECT_LT(count, 40);
  }
}

TEST(Partitions, AreNamedAfterTheirWave) {
  EXPECT_EQ(PartitionName("surveys/s/waves/w", 0), "surveys/s/waves/w");
  EXPECT_EQ(PartitionName("surveys/s/waves/w", 12), "surveys/s/waves/w#12");
}

}  // namespace
}  // namespace peiling::names
