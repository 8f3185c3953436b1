#include "services/ctl/output/progress_bar.h"

#include <sstream>

#include "gtest/gtest.h"

namespace peiling::ctl {
namespace {

using std::chrono::milliseconds;

class ProgressBarTest : public ::testing::Test {
 protected:
  ProgressBar::Clock clock() {
    return [this] { return now_; };
  }

  std::chrono::steady_clock::time_point now_;
  std::ostringstream out_;
};

TEST_F(ProgressBarTest, ElsewhereThanOnATerminalALineNowAndThenAndTheLast) {
  {
    ProgressBar bar(out_, {}, "export.csv", 1000, "rows", clock());
    bar.Update(100, 10);  // too soon for a line
    now_ += milliseconds(2000);
    bar.Update(500, 5000);
    now_ += milliseconds(100);
    bar.Update(1000, 10000);
  }
  EXPECT_EQ(out_.str(), "export.csv  50%  5,000 rows  2,500 rows/s  0:02 left\nexport.csv  100%  10,000 rows  4,761 rows/s\n");
}

TEST_F(ProgressBarTest, OnATerminalOneLineIsWrittenOver) {
  {
    ProgressBar bar(out_, {.width = 80, .interactive = true}, "export.csv", 1000, "rows", clock());
    now_ += milliseconds(150);
    bar.Update(500, 5);
    now_ += milliseconds(10);
    bar.Update(600, 6);  // sooner than anybody sees
    now_ += milliseconds(140);
    bar.Update(1000, 10);
  }
  EXPECT_EQ(out_.str(),
            "\r\x1b[Kexport.csv  [████████████░░░░░░░░░░░░] 50%  5 rows"
            "\r\x1b[Kexport.csv  [████████████████████████] 100%  10 rows\n");
}

TEST_F(ProgressBarTest, WithoutTotalItCounts) {
  {
    ProgressBar bar(out_, {}, "-", 0, "rows", clock());
    bar.Update(70, 7);
  }
  EXPECT_EQ(out_.str(), "-  7 rows\n");
}

TEST_F(ProgressBarTest, WithoutUpdateNothingIsShown) {
  { ProgressBar bar(out_, {}, "export.csv", 1000, "rows", clock()); }
  EXPECT_EQ(out_.str(), "");
}

TEST(WithSeparatorsTest, Thousands) {
  EXPECT_EQ(WithSeparators(0), "0");
  EXPECT_EQ(WithSeparators(999), "999");
  EXPECT_EQ(WithSeparators(1000), "1,000");
  EXPECT_EQ(WithSeparators(1234567), "1,234,567");
  EXPECT_EQ(WithSeparators(-1234), "-1,234");
}

}  // namespace
}  // namespace peiling::ctl
