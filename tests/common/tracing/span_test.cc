#include "services/common/tracing/span.h"

#include <mutex>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/log/log.h"

namespace peiling::tracing {
namespace {

using testing::HasSubstr;
using testing::Not;

class Collected final : public Recorder {
 public:
  void Record(SpanData span) override {
    const std::lock_guard lock(mutex_);
    spans.push_back(std::move(span));
  }

  std::vector<SpanData> spans;

 private:
  std::mutex mutex_;
};

class SpanTest : public testing::Test {
 protected:
  SpanTest() { SetRecorder(&collected_, 1); }
  ~SpanTest() override { SetRecorder(nullptr, 0); }

  Collected collected_;
};

TEST_F(SpanTest, RootsHaveIdsOfTheirOwn) {
  Span::Start("a", Kind::kServer, nullptr).End();
  Span::Start("b", Kind::kServer, nullptr).End();
  ASSERT_EQ(collected_.spans.size(), 2u);
  EXPECT_FALSE(collected_.spans[0].parent);
  EXPECT_NE(Hex(collected_.spans[0].context.trace_id), Hex(collected_.spans[1].context.trace_id));
  EXPECT_NE(Hex(collected_.spans[0].context.span_id), Hex(collected_.spans[1].context.span_id));
  EXPECT_EQ(collected_.spans[0].name, "a");
  EXPECT_GE(collected_.spans[0].end, collected_.spans[0].begin);
}

TEST_F(SpanTest, AChildIsPartOfWhatIsCurrent) {
  const TraceContext* root_context = nullptr;
  {
    const Span root = Span::Start("root", Kind::kServer, nullptr);
    const Scope scope(root);
    root_context = Current();
    ASSERT_EQ(root_context, root.context());
    Span child = Span::StartChild("child", Kind::kInternal);
    child.Set("text", "of it");
    child.Set("number", 7);
    child.Fail();
  }
  ASSERT_EQ(collected_.spans.size(), 2u);
  const SpanData& child = collected_.spans[0];
  const SpanData& root = collected_.spans[1];
  EXPECT_EQ(Hex(child.context.trace_id), Hex(root.context.trace_id));
  EXPECT_EQ(Hex(child.parent->span_id), Hex(root.context.span_id));
  EXPECT_THAT(child.texts, testing::ElementsAre(testing::Pair("text", "of it")));
  EXPECT_THAT(child.numbers, testing::ElementsAre(testing::Pair("number", 7)));
  EXPECT_TRUE(child.failed);
  EXPECT_EQ(Current(), nullptr);
}

TEST_F(SpanTest, WithoutACurrentSpanThereIsNoChild) {
  Span::StartChild("child", Kind::kInternal).End();
  EXPECT_TRUE(collected_.spans.empty());
}

TEST_F(SpanTest, ScopesNestAndAreOfOneThread) {
  const Span outer = Span::Start("outer", Kind::kServer, nullptr);
  const Scope outer_scope(outer);
  {
    const Span inner = Span::Start("inner", Kind::kServer, nullptr);
    const Scope inner_scope(inner);
    EXPECT_EQ(Current(), inner.context());
  }
  EXPECT_EQ(Current(), outer.context());
  std::thread([] { EXPECT_EQ(Current(), nullptr); }).join();
}

TEST_F(SpanTest, ContextStaysValidWhileCurrentThoughTheSpanEnded) {
  Span span = Span::Start("a", Kind::kServer, nullptr);
  const Scope scope(span);
  const std::string id = Hex(span.context()->span_id);
  span.End();
  EXPECT_EQ(Hex(Current()->span_id), id);
}

TEST_F(SpanTest, FollowsItsParentsDecisionToRecord) {
  SetRecorder(&collected_, 0);
  TraceContext parent;
  parent.trace_id[0] = parent.span_id[0] = 1;
  parent.sampled = true;
  parent.state = "a=1";
  Span::Start("recorded", Kind::kServer, &parent).End();
  ASSERT_EQ(collected_.spans.size(), 1u);
  EXPECT_EQ(collected_.spans[0].context.state, "a=1");

  SetRecorder(&collected_, 1);
  parent.sampled = false;
  const Span unrecorded = Span::Start("unrecorded", Kind::kServer, &parent);
  // Whoever is called must know not to record either.
  ASSERT_NE(unrecorded.context(), nullptr);
  EXPECT_FALSE(unrecorded.context()->sampled);
  EXPECT_EQ(Hex(unrecorded.context()->trace_id), Hex(parent.trace_id));
  const Scope scope(unrecorded);
  EXPECT_EQ(Span::StartChild("child", Kind::kInternal).context(), nullptr);
}

TEST_F(SpanTest, RecordsThePartOfTracesThatIsAskedFor) {
  constexpr int kTraces = 4000;
  SetRecorder(&collected_, 0.25);
  for (int i = 0; i < kTraces; ++i) Span::Start("a", Kind::kServer, nullptr).End();
  // Seven standard deviations either way.
  EXPECT_NEAR(static_cast<double>(collected_.spans.size()), kTraces / 4.0, 200);
}

TEST_F(SpanTest, HasABoundedNumberOfChildrenAndLinks) {
  {
    Span root = Span::Start("root", Kind::kServer, nullptr);
    const Scope scope(root);
    for (int i = 0; i < kMaxChildren + 10; ++i) Span::StartChild("child", Kind::kInternal);
    for (size_t i = 0; i < kMaxLinks + 10; ++i) root.Link(*root.context());
  }
  EXPECT_EQ(collected_.spans.size(), kMaxChildren + 1u);
  EXPECT_EQ(collected_.spans.back().links.size(), kMaxLinks);
}

TEST_F(SpanTest, IsNothingWhileOff) {
  SetRecorder(nullptr, 1);
  Span span = Span::Start("a", Kind::kServer, nullptr);
  const Scope scope(span);
  EXPECT_EQ(span.context(), nullptr);
  EXPECT_EQ(Current(), nullptr);
  span.Set("key", "value");
  span.Link(TraceContext());
  span.Fail();
}

TEST_F(SpanTest, LinesOfTheLogSayWhereTheyAreWritten) {
  log::Init("test", log::Level::kInfo);
  const Span span = Span::Start("a", Kind::kServer, nullptr);
  testing::internal::CaptureStderr();
  log::Info("outside");
  {
    const Scope scope(span);
    log::Info("inside");
  }
  const std::string text = testing::internal::GetCapturedStderr();
  const std::string outside = text.substr(0, text.find('\n')), inside = text.substr(text.find('\n'));
  EXPECT_THAT(outside, Not(HasSubstr("trace_id")));
  EXPECT_THAT(inside,
              HasSubstr("\"trace_id\":\"" + Hex(span.context()->trace_id) + "\",\"span_id\":\"" + Hex(span.context()->span_id) + "\""));
}

}  // namespace
}  // namespace peiling::tracing
