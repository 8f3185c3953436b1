#include "services/common/feed/feed_metrics.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "services/common/server/metrics.h"

namespace peiling::feed {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

const prometheus::MetricFamily* Find(const std::vector<prometheus::MetricFamily>& all, const std::string& name) {
  for (const auto& family : all) {
    if (family.name == name) return &family;
  }
  return nullptr;
}

// The value of the series of a wave, partition and, unless empty, follower; nullopt when there is none.
std::optional<double> Value(const std::string& name, const std::string& wave, const std::string& partition, const std::string& follower) {
  const auto all = server::Metrics().Collect();
  const auto* family = Find(all, name);
  if (family == nullptr) return std::nullopt;
  for (const auto& metric : family->metric) {
    std::string metric_wave, metric_partition, metric_follower;
    for (const auto& label : metric.label) {
      if (label.name == "wave") metric_wave = label.value;
      if (label.name == "partition") metric_partition = label.value;
      if (label.name == "follower") metric_follower = label.value;
    }
    if (metric_wave == wave && metric_partition == partition && metric_follower == follower) return metric.gauge.value;
  }
  return std::nullopt;
}

TEST(FeedMetrics, AnEndOnlyGrows) {
  RecordEnd(kSubmissions, "surveys/s/waves/a", 1, 7);
  RecordEnd(kSubmissions, "surveys/s/waves/a", 1, 5);
  EXPECT_EQ(Value("peiling_feed_end", "surveys/s/waves/a", "1", ""), 7);
}

TEST(FeedMetrics, APositionIsTheLastOneSaid) {
  RecordPosition("dedup", kSubmissions, "surveys/s/waves/a", 0, 7);
  RecordPosition("dedup", kSubmissions, "surveys/s/waves/a", 0, 5);
  EXPECT_EQ(Value("peiling_feed_position", "surveys/s/waves/a", "0", "dedup"), 5);
}

TEST(FeedMetrics, FollowersInOneProcessStandApart) {
  RecordPosition("dedup", kSubmissions, "surveys/s/waves/b", 0, 7);
  RecordPosition("analytics", kSubmissions, "surveys/s/waves/b", 0, 3);
  EXPECT_EQ(Value("peiling_feed_position", "surveys/s/waves/b", "0", "dedup"), 7);
  EXPECT_EQ(Value("peiling_feed_position", "surveys/s/waves/b", "0", "analytics"), 3);
}

TEST(FeedMetrics, FeedsBeyondTheBoundAreLeftOutAndKnownOnesGoOn) {
  RecordEnd(kRecords, "surveys/s/waves/known", 0, 1);
  for (size_t i = 0; i < kMaxFeedSeries + 50; ++i) RecordEnd(kRecords, "surveys/s/waves/w" + std::to_string(i), 0, 1);
  RecordEnd(kRecords, "surveys/s/waves/known", 0, 2);
  const auto all = server::Metrics().Collect();
  EXPECT_EQ(Find(all, "peiling_feed_end")->metric.size(), kMaxFeedSeries);
  EXPECT_EQ(Value("peiling_feed_end", "surveys/s/waves/known", "0", ""), 2);
}

}  // namespace
}  // namespace peiling::feed
