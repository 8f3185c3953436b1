#include "services/ctl/client/request_id.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace peiling::ctl {
namespace {

TEST(RequestIdTest, ARandomOneIsAUuidOfItsOwn) {
  EXPECT_THAT(RandomRequestId(), ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(RandomRequestId(), RandomRequestId());
}

TEST(RequestIdTest, ADerivedOneIsTheSameForTheSamePartsAlone) {
  EXPECT_EQ(DerivedRequestId({"wave", "101"}), DerivedRequestId({"wave", "101"}));
  EXPECT_NE(DerivedRequestId({"wave", "101"}), DerivedRequestId({"wave", "102"}));
  EXPECT_NE(DerivedRequestId({"ab", "c"}), DerivedRequestId({"a", "bc"}));
  EXPECT_LE(DerivedRequestId({std::string(10000, 'x')}).size(), 100u);
}

}  // namespace
}  // namespace peiling::ctl
