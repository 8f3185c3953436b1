#include "services/ctl/session.h"

#include "gtest/gtest.h"

namespace peiling::ctl {
namespace {

using std::chrono::milliseconds;

TEST(ParseTimeoutTest, TimesWithUnitsAndBareSeconds) {
  EXPECT_EQ(*ParseTimeout("500ms"), milliseconds(500));
  EXPECT_EQ(*ParseTimeout("30s"), milliseconds(30'000));
  EXPECT_EQ(*ParseTimeout("1m30s"), milliseconds(90'000));
  EXPECT_EQ(*ParseTimeout("5"), milliseconds(5'000));
  EXPECT_EQ(*ParseTimeout("0.5"), milliseconds(500));
}

TEST(ParseTimeoutTest, WhatIsNoTimeIsAUsageError) {
  for (const std::string text : {"soon", "0", "-3s", "inf", "nan", "1000h", "5x"}) {
    EXPECT_EQ(ExitCodeOf(ParseTimeout(text).status()), ExitCode::kUsage) << text;
  }
}

}  // namespace
}  // namespace peiling::ctl
