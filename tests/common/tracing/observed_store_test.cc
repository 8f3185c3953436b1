#include "services/common/storage/observed_store.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/server/metrics.h"
#include "services/common/tracing/span.h"

namespace peiling::storage {
namespace {

using Labels = std::map<std::string, std::string>;

class Collected final : public tracing::Recorder {
 public:
  Collected() { tracing::SetRecorder(this, 1); }
  ~Collected() override { tracing::SetRecorder(nullptr, 0); }
  void Record(tracing::SpanData span) override { spans.push_back(std::move(span)); }

  std::vector<tracing::SpanData> spans;
};

// How many operations ended so.
uint64_t Observed(const std::string& store, const std::string& operation, const std::string& outcome) {
  for (const auto& family : server::Metrics().Collect()) {
    if (family.name != "peiling_store_operation_seconds") continue;
    for (const auto& metric : family.metric) {
      Labels labels;
      for (const auto& label : metric.label) labels[label.name] = label.value;
      if (labels == Labels{{"store", store}, {"operation", operation}, {"outcome", outcome}}) return metric.histogram.sample_count;
    }
  }
  return 0;
}

double Up(const std::string& store) {
  for (const auto& family : server::Metrics().Collect()) {
    if (family.name != "peiling_store_up") continue;
    for (const auto& metric : family.metric) {
      if (metric.label.at(0).value == store) return metric.gauge.value;
    }
  }
  return -1;
}

TEST(ObservedStore, OpenedStoresAreMeasuredByOperationAndOutcome) {
  auto store = OpenStore("sqlite::memory:", "measured");
  ASSERT_TRUE(store.ok());
  const Batch batch{.partition = "p", .writes = {{.key = "k", .value = "v", .expected_version = 0}}};
  ASSERT_TRUE((*store)->Commit(batch).ok());
  EXPECT_TRUE(absl::IsAborted((*store)->Commit(batch).status()));
  EXPECT_EQ((*(*store)->Get("p", "k"))->value, "v");
  EXPECT_EQ(Observed("measured", "commit", "OK"), 1u);
  EXPECT_EQ(Observed("measured", "commit", "ABORTED"), 1u);
  EXPECT_EQ(Observed("measured", "get", "OK"), 1u);
  EXPECT_EQ(Up("measured"), 1);
}

TEST(ObservedStore, OperationsArePartOfTheCurrentSpanAlone) {
  Collected collected;
  auto store = OpenStore("sqlite::memory:", "traced");
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE((*store)->Get("p", "k").ok());
  EXPECT_TRUE(collected.spans.empty());
  const tracing::Span call = tracing::Span::Start("call", tracing::Kind::kServer, nullptr);
  const tracing::Scope scope(call);
  ASSERT_TRUE((*store)->Get("p", "k").ok());
  ASSERT_EQ(collected.spans.size(), 1u);
  const auto& span = collected.spans[0];
  EXPECT_EQ(span.name, "traced get");
  EXPECT_EQ(span.parent->span_id, call.context()->span_id);
  EXPECT_FALSE(span.failed);
  EXPECT_THAT(span.texts, testing::IsSupersetOf({std::pair<std::string, std::string>("db.system", "sqlite"),
                                                 {"db.operation", "get"},
                                                 {"peiling.store", "traced"},
                                                 {"peiling.outcome", "OK"}}));
}

}  // namespace
}  // namespace peiling::storage
