#include "services/common/feed/feed_metrics.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "prometheus/gauge.h"
#include "services/common/log/log.h"
#include "services/common/server/metrics.h"

namespace peiling::feed {
namespace {

// The gauges of one name, looked up by their labels. Thread-safe.
class Gauges {
 public:
  explicit Gauges(prometheus::Family<prometheus::Gauge>& family) : family_(family) {}

  // Calls `change` with the gauge that has these labels, if there is room for it. Changes are made one after another.
  template <typename Change>
  void With(const prometheus::Labels& labels, Change change) {
    const std::lock_guard lock(mutex_);
    auto known = gauges_.find(labels);
    if (known == gauges_.end()) {
      if (gauges_.size() >= kMaxFeedSeries) return WarnOnce();
      known = gauges_.emplace(labels, &family_.Add(labels)).first;
    }
    change(*known->second);
  }

 private:
  void WarnOnce() {
    if (std::exchange(warned_, true)) return;
    log::Warning("too many feeds to measure; further ones have no metrics", {{"most", std::to_string(kMaxFeedSeries)}});
  }

  prometheus::Family<prometheus::Gauge>& family_;
  std::mutex mutex_;
  std::map<prometheus::Labels, prometheus::Gauge*> gauges_;
  bool warned_ = false;
};

Gauges& Ends() {
  static auto* gauges = new Gauges(
      prometheus::BuildGauge().Name("peiling_feed_end").Help("Last sequence of a feed, at its service.").Register(server::Metrics()));
  return *gauges;
}

Gauges& Positions() {
  static auto* gauges = new Gauges(prometheus::BuildGauge()
                                       .Name("peiling_feed_position")
                                       .Help("Sequence up to which a follower has taken in a feed.")
                                       .Register(server::Metrics()));
  return *gauges;
}

prometheus::Labels LabelsOf(std::string_view feed, std::string_view wave, int partition) {
  return {{"feed", std::string(feed)}, {"wave", std::string(wave)}, {"partition", std::to_string(partition)}};
}

}  // namespace

void RecordEnd(std::string_view feed, std::string_view wave, int partition, uint64_t sequence) {
  Ends().With(LabelsOf(feed, wave, partition),
              [&](prometheus::Gauge& gauge) { gauge.Set(std::max(gauge.Value(), static_cast<double>(sequence))); });
}

void RecordPosition(std::string_view follower, std::string_view feed, std::string_view wave, int partition, uint64_t sequence) {
  prometheus::Labels labels = LabelsOf(feed, wave, partition);
  labels["follower"] = std::string(follower);
  Positions().With(labels, [&](prometheus::Gauge& gauge) { gauge.Set(static_cast<double>(sequence)); });
}

}  // namespace peiling::feed
