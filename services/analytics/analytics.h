// The questions analytics answers, over the waves as they now are.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "services/analytics/lineages.h"
#include "services/analytics/live_waves.h"
#include "services/analytics/selection.h"
#include "services/common/server/places.h"

namespace peiling::analytics {

// Requests have been checked (validate.h). Errors as in analytics.proto, and the registry's when it is needed and cannot be reached.
// Thread-safe.
class Analytics {
 public:
  // Returns false when the client is gone.
  using SendProgress = std::function<bool(const v1::WatchProgressResponse&)>;

  // At most `max_waiting_calls` wait for something to be counted or follow progress at once; one more gets
  // RESOURCE_EXHAUSTED/TOO_MANY_WAITING_CALLS.
  Analytics(std::shared_ptr<LiveWaves> waves, std::shared_ptr<Lineages> lineages, int max_waiting_calls);

  absl::StatusOr<v1::TabulateResponse> Tabulate(const v1::TabulateRequest& request, const Caller& caller);
  absl::StatusOr<v1::GetProgressResponse> GetProgress(const v1::GetProgressRequest& request, const Caller& caller);
  // Runs until the client leaves (CANCELLED). UNAVAILABLE/INDEX_BUILDING also later, when the wave is
  // built anew.
  absl::Status WatchProgress(const v1::WatchProgressRequest& request, const Caller& caller, const SendProgress& send);
  absl::StatusOr<v1::GetTrendResponse> GetTrend(const v1::GetTrendRequest& request, const Caller& caller);
  absl::StatusOr<v1::ListTrendsResponse> ListTrends(const v1::ListTrendsRequest& request, const Caller& caller);
  absl::StatusOr<v1::CompareWithPublishedResponse> CompareWithPublished(const v1::CompareWithPublishedRequest& request,
                                                                        const Caller& caller);

 private:
  // The wave once it counts up to a position (LiveWaves::Await).
  absl::StatusOr<std::shared_ptr<LiveWave>> Await(const std::string& name, const survey::v1::FeedPosition& position, const Caller& caller);
  absl::StatusOr<Overlaps> FindOverlaps(const LiveWave& wave, const std::set<std::string>& earlier_waves);
  absl::StatusOr<v1::Trend> Trend(const std::vector<std::shared_ptr<LiveWave>>& waves, const survey::v1::OptionCount& option,
                                  const std::string& base_wave);

  const std::shared_ptr<LiveWaves> waves_;
  const std::shared_ptr<Lineages> lineages_;
  server::Places places_;
};

}  // namespace peiling::analytics
