#include "services/common/feed/position.h"

#include "gtest/gtest.h"

namespace peiling::feed {
namespace {

survey::v1::FeedPosition At(std::initializer_list<uint64_t> submissions, uint64_t records = 0) {
  survey::v1::FeedPosition position;
  int partition = 0;
  for (const uint64_t sequence : submissions) SetSubmissions(position, partition++, sequence);
  position.set_records(records);
  return position;
}

TEST(FeedPosition, HoldsASequenceForEveryPartition) {
  const auto position = At({7, 0, 9});
  EXPECT_EQ(position.submissions(), 7u);
  EXPECT_EQ(Submissions(position, 2), 9u);
  EXPECT_EQ(Submissions(position, 1), 0u);
  EXPECT_EQ(Submissions(position, 40), 0u);
}

TEST(FeedPosition, IsWrittenByPartition) {
  EXPECT_EQ(SubmissionsText(At({})), "0");
  EXPECT_EQ(SubmissionsText(At({7})), "7");
  EXPECT_EQ(SubmissionsText(At({7, 0, 9})), "7,0,9");
}

TEST(FeedPosition, IsReachedInEveryFeedOrNotAtAll) {
  EXPECT_TRUE(Reached(At({7, 3}, 5), At({7, 3}, 5)));
  EXPECT_TRUE(Reached(At({7, 3}, 5), At({6}, 0)));
  EXPECT_FALSE(Reached(At({7, 3}, 5), At({7, 4}, 5)));
  EXPECT_FALSE(Reached(At({7}, 5), At({1, 1}, 5)));
  EXPECT_FALSE(Reached(At({7, 3}, 5), At({7, 3}, 6)));
}

TEST(FeedPosition, NeverGoesBack) {
  auto position = At({7, 3}, 5);
  Advance(position, At({6, 4, 1}, 2));
  EXPECT_EQ(position.submissions(), 7u);
  EXPECT_EQ(Submissions(position, 1), 4u);
  EXPECT_EQ(Submissions(position, 2), 1u);
  EXPECT_EQ(position.records(), 5u);
}

}  // namespace
}  // namespace peiling::feed
