#include "services/common/repeater/repeater.h"

#include <atomic>
#include <future>

#include "gtest/gtest.h"

namespace peiling {
namespace {

TEST(RepeaterTest, RunsAtOnceAndAgain) {
  std::promise<void> third;
  int runs = 0;
  Repeater repeater(std::chrono::milliseconds(1), [&] {
    if (++runs == 3) third.set_value();
  });
  repeater.Start();
  EXPECT_EQ(third.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
}

TEST(RepeaterTest, StopsAfterTheRunUnderWayWithoutWaitingForTheNext) {
  std::promise<void> running;
  std::promise<void> go_on;
  std::atomic<bool> ended = false;
  Repeater repeater(std::chrono::hours(1), [&] {
    running.set_value();
    go_on.get_future().wait();
    ended = true;
  });
  repeater.Start();
  running.get_future().wait();
  go_on.set_value();
  repeater.Stop();
  EXPECT_TRUE(ended);
  repeater.Stop();
}

TEST(RepeaterTest, NeedNotBeStarted) {
  Repeater repeater(std::chrono::hours(1), [] { FAIL(); });
  repeater.Stop();
}

}  // namespace
}  // namespace peiling
