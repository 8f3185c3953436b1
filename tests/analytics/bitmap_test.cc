#include "services/analytics/bitmap.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace peiling::analytics {
namespace {

using Numbers = std::set<size_t>;

// A bitmap and the plain set it stands for, after random settings and clearings.
struct Pair {
  Bitmap bitmap;
  Numbers numbers;

  Pair(std::mt19937_64& random, size_t limit) {
    for (int step = 0; step < 400; ++step) {
      const size_t number = random() % limit;
      if (random() % 3 == 0) {
        bitmap.Clear(number);
        numbers.erase(number);
      } else {
        bitmap.Set(number);
        numbers.insert(number);
      }
    }
  }
};

Numbers Members(const Bitmap& bitmap) {
  Numbers members;
  bitmap.ForEach([&](size_t number) { members.insert(number); });
  return members;
}

TEST(Bitmap, DoesWhatSetsDoWhateverTheLengths) {
  std::mt19937_64 random(20221215);
  for (int round = 0; round < 200; ++round) {
    const Pair a(random, 1 + random() % 700), b(random, 1 + random() % 700);
    Numbers both, either, only_a;
    std::set_intersection(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end(), std::inserter(both, both.end()));
    std::set_union(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end(), std::inserter(either, either.end()));
    std::set_difference(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end(), std::inserter(only_a, only_a.end()));
    ASSERT_EQ(Members(a.bitmap), a.numbers);
    ASSERT_EQ(a.bitmap.Count(), static_cast<int64_t>(a.numbers.size()));
    ASSERT_EQ(CountAnd(a.bitmap, b.bitmap), static_cast<int64_t>(both.size()));
    ASSERT_EQ(Members(Bitmap(a.bitmap) &= b.bitmap), both);
    ASSERT_EQ(Members(Bitmap(a.bitmap) |= b.bitmap), either);
    ASSERT_EQ(Members(Bitmap(a.bitmap).AndNot(b.bitmap)), only_a);
    for (size_t number = 0; number < 800; ++number) ASSERT_EQ(a.bitmap.Test(number), a.numbers.contains(number));
  }
}

TEST(Bitmap, WithTheSameMembersIsEqualWhateverTheLength) {
  Bitmap longer, shorter;
  longer.Set(1);
  longer.Set(1000);
  longer.Clear(1000);
  shorter.Set(1);
  EXPECT_TRUE(longer == shorter);
  EXPECT_TRUE(shorter == longer);
  shorter.Set(2);
  EXPECT_FALSE(longer == shorter);
}

}  // namespace
}  // namespace peiling::analytics
