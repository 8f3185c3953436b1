#include "services/ctl/commands/selectors.h"

#include "gtest/gtest.h"
#include "services/ctl/client/errors.h"

namespace peiling::ctl {
namespace {

TEST(BreakdownTest, EveryKind) {
  EXPECT_EQ(ParseBreakdown("size-class")->stratum(), analytics::v1::STRATUM_SIZE_CLASS);
  EXPECT_EQ(ParseBreakdown("province")->stratum(), analytics::v1::STRATUM_PROVINCE);
  EXPECT_EQ(ParseBreakdown("group:G40")->group(), "G40");
  EXPECT_EQ(ParseBreakdown("group=G40")->group(), "G40");
  EXPECT_EQ(ParseBreakdown("took-part-in:2019")->took_part_in(), "2019");
  EXPECT_EQ(ParseBreakdown("question:Q5")->question(), "Q5");
}

TEST(BreakdownTest, WhatIsNoneIsAUsageError) {
  for (const std::string text : {"", "size", "group", "group:", "group!=G40", "colour:red"}) {
    EXPECT_EQ(ExitCodeOf(ParseBreakdown(text).status()), ExitCode::kUsage) << text;
  }
}

TEST(FilterTest, EveryKind) {
  EXPECT_EQ(ParseFilter("size-class=under-50k")->stratum().size_class(), survey::v1::SIZE_CLASS_UNDER_50K);
  EXPECT_EQ(ParseFilter("province=Noord-Holland")->stratum().province(), "Noord-Holland");
  EXPECT_EQ(ParseFilter("group:G40")->stratum().group(), "G40");
  EXPECT_EQ(ParseFilter("took-part-in=2019")->stratum().took_part_in(), "2019");
  EXPECT_TRUE(ParseFilter("complete")->complete());
  EXPECT_EQ(ParseFilter("partial")->on_case(), analytics::v1::Filter::kComplete);
  EXPECT_FALSE(ParseFilter("partial")->complete());
  EXPECT_EQ(ParseFilter("Q5=ja")->option().question(), "Q5");
  EXPECT_EQ(ParseFilter("Q5=ja")->option().option(), "ja");
  EXPECT_EQ(ParseFilter("Q22.po=structuur")->option().row(), "po");
}

TEST(FilterTest, AllOthersOfAClass) {
  EXPECT_FALSE(ParseFilter("group=G40")->stratum().except());
  EXPECT_TRUE(ParseFilter("group!=G40")->stratum().except());
  EXPECT_EQ(ParseFilter("group!=G40")->stratum().group(), "G40");
}

TEST(FilterTest, WhatIsNoneIsAUsageError) {
  for (const std::string text : {"", "Q5", "Q5=", "=ja", "Q5!=ja", "size-class=huge"}) {
    EXPECT_EQ(ExitCodeOf(ParseFilter(text).status()), ExitCode::kUsage) << text;
  }
}

}  // namespace
}  // namespace peiling::ctl
