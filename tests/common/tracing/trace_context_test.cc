#include "services/common/tracing/trace_context.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace peiling::tracing {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSpan = "00f067aa0ba902b7";

TEST(TraceContext, ReadsWhatItWrites) {
  const std::string header = "00-" + kTrace + "-" + kSpan + "-01";
  const auto context = ParseTraceContext(header, "");
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(Hex(context->trace_id), kTrace);
  EXPECT_EQ(Hex(context->span_id), kSpan);
  EXPECT_EQ(FormatTraceparent(*context), header);
}

TEST(TraceContext, TakesOnlyTheSampledFlag) {
  for (const auto& [flags, sampled] : std::vector<std::pair<std::string, bool>>{{"00", false}, {"01", true}, {"02", false}, {"ff", true}}) {
    const auto context = ParseTraceContext("00-" + kTrace + "-" + kSpan + "-" + flags, "");
    ASSERT_TRUE(context) << flags;
    EXPECT_EQ(context->sampled, sampled) << flags;
  }
}

TEST(TraceContext, ReadsLaterVersionsAsFarAsItKnowsThem) {
  EXPECT_TRUE(ParseTraceContext("01-" + kTrace + "-" + kSpan + "-01", ""));
  EXPECT_TRUE(ParseTraceContext("cc-" + kTrace + "-" + kSpan + "-01-what-the-future-will-be-like", ""));
}

TEST(TraceContext, RefusesWhatIsNotValid) {
  for (const std::string& header : std::vector<std::string>{
           "",
           "00",
           "00-" + kTrace + "-" + kSpan,               // No flags.
           "00-" + kTrace + "-" + kSpan + "-1",        // Half of the flags.
           "00-" + kTrace + "-" + kSpan + "-01-more",  // Version 00 has no more.
           "00-" + kTrace + "-" + kSpan + "-01 ",      // Nor a blank.
           "01-" + kTrace + "-" + kSpan + "-01more",   // More begins with a dash.
           "ff-" + kTrace + "-" + kSpan + "-01",       // No version.
           "0x-" + kTrace + "-" + kSpan + "-01",       // Nor this.
           "00-" + std::string(32, '0') + "-" + kSpan + "-01",
           "00-" + kTrace + "-" + std::string(16, '0') + "-01",
           "00-" + kTrace.substr(1) + "-" + kSpan + "-012",  // A digit short.
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + kSpan + "-01",
           "00-" + kTrace + "-00f067aa0ba902bg-01",
           "00_" + kTrace + "_" + kSpan + "_01",
           "00-" + kTrace + "-" + kSpan + "-0g",
       }) {
    EXPECT_FALSE(ParseTraceContext(header, "")) << header;
  }
}

TEST(TraceContext, PassesOnAValidStateAsItIs) {
  const std::string header = "00-" + kTrace + "-" + kSpan + "-01";
  std::string most;
  for (int i = 0; i < 32; ++i) most += (i == 0 ? "k" : ",k") + std::to_string(i) + "=v";
  for (const std::string& state : {std::string("congo=t61rcWkgMzE"), std::string("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
                                   std::string("fw529a3039@dt=FfWe:|x , a_-*/0=b"), std::string("a=1,,b=2"), most}) {
    const auto context = ParseTraceContext(header, state);
    ASSERT_TRUE(context) << state;
    EXPECT_EQ(context->state, state);
  }
}

TEST(TraceContext, DropsAStateThatIsNotValidAndKeepsTheTrace) {
  const std::string header = "00-" + kTrace + "-" + kSpan + "-01";
  std::string many;
  for (int i = 0; i < 33; ++i) many += (i == 0 ? "k" : ",k") + std::to_string(i) + "=v";
  for (const std::string& state :
       {std::string("no-equals"), std::string("Upper=1"), std::string("=1"), std::string("a="), std::string("a=b=c"),
        std::string("a=1,a=2"), std::string("0a=1"), std::string("a@=1"), std::string("@b=1"), std::string("a@0b=1"),
        std::string("a@bcdefghijklmnop=1"), std::string("a=\x01"), std::string("a=1,\tb=2"), std::string("a=1\t"),
        "a=" + std::string(257, 'v'), std::string(257, 'k') + "=v", many, "a=" + std::string(256, 'v') + ",b=" + std::string(256, 'v')}) {
    const auto context = ParseTraceContext(header, state);
    ASSERT_TRUE(context) << state;
    EXPECT_EQ(context->state, "") << state;
  }
}

}  // namespace
}  // namespace peiling::tracing
