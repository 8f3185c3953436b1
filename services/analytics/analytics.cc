#include "services/analytics/analytics.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/analytics/published_comparison.h"
#include "services/analytics/tabulation.h"
#include "services/analytics/trend.h"
#include "services/analytics/wave_overlap.h"
#include "services/common/names/resource_names.h"
#include "services/common/paging/paging.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace sv = survey::v1;

namespace {

constexpr std::chrono::seconds kBetweenProgress{1};

// "surveys/s" of a wave's name.
std::string SurveyOf(const std::string& wave) { return wave.substr(0, wave.find("/waves/")); }

// The earlier waves somebody names, "2019".
class EarlierWaves {
 public:
  static std::set<std::string> Of(const v1::TabulateRequest& request) {
    EarlierWaves earlier;
    if (request.by().has_took_part_in()) earlier.waves_.insert(request.by().took_part_in());
    for (const auto& filter : request.filters()) earlier.Add(filter.stratum());
    return std::move(earlier.waves_);
  }

  static std::set<std::string> Of(const sv::PublishedReport& report) {
    EarlierWaves earlier;
    for (const auto& figure : report.figures()) earlier.Add(figure.measure());
    for (const auto& claim : report.claims()) {
      earlier.Add(claim.percent().measure());
      earlier.Add(claim.over_represented().stratum());
    }
    return std::move(earlier.waves_);
  }

 private:
  void Add(const sv::StratumFilter& stratum) {
    if (stratum.has_took_part_in()) waves_.insert(stratum.took_part_in());
  }
  void Add(const sv::Measure& measure) {
    if (measure.count().has_also_in_wave()) waves_.insert(measure.count().also_in_wave());
    if (measure.base().has_also_in_wave()) waves_.insert(measure.base().also_in_wave());
    for (const auto& stratum : measure.strata()) Add(stratum);
    for (const auto& stratum : measure.count_strata()) Add(stratum);
  }

  std::set<std::string> waves_;
};

template <typename Response>
void AddNotices(const WaveDefinition& definition, Response& response) {
  if (!definition.wave.synthetic_notice().empty()) response.add_notices(definition.wave.synthetic_notice());
}

v1::Progress ProgressOn(const LiveWave::View& view, std::optional<absl::CivilDay> day) {
  v1::Progress progress = view.fieldwork().On(day);
  *progress.mutable_position() = view.position();
  AddNotices(view.definition(), progress);
  return progress;
}

absl::Status TooManyWaiting() {
  return status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_WAITING_CALLS", "too many callers wait; try again later");
}

}  // namespace

Analytics::Analytics(std::shared_ptr<LiveWaves> waves, std::shared_ptr<Lineages> lineages, int max_waiting_calls)
    : waves_(std::move(waves)), lineages_(std::move(lineages)), places_(max_waiting_calls) {}

absl::StatusOr<std::shared_ptr<LiveWave>> Analytics::Await(const std::string& name, const sv::FeedPosition& position,
                                                           const Caller& caller) {
  if (waves_->IsCounted(name, position)) return waves_->Get(name);
  const server::Places::Place place(places_);
  if (!place.granted()) return TooManyWaiting();
  return waves_->Await(name, position, caller);
}

// An earlier wave that does not exist is left out: whoever looks for it says so.
absl::StatusOr<Overlaps> Analytics::FindOverlaps(const LiveWave& wave, const std::set<std::string>& earlier_waves) {
  Overlaps overlaps;
  if (earlier_waves.empty()) return overlaps;
  const auto definition = wave.Read().shared_definition();
  for (const auto& id : earlier_waves) {
    const auto earlier = waves_->Get(absl::StrCat(SurveyOf(definition->wave.name()), "/waves/", id));
    if (absl::IsNotFound(earlier.status())) continue;
    if (!earlier.ok()) return earlier.status();
    std::shared_ptr<const WaveDefinition> earlier_definition;
    Bitmap participants;
    {
      const auto view = (*earlier)->Read();
      earlier_definition = view.shared_definition();
      participants = view.index().Municipalities();
    }
    const auto lineages = lineages_->Trace(earlier_definition->wave.frame_date(), definition->wave.frame_date());
    if (!lineages.ok()) return lineages.status();
    overlaps[id] = TookPart(*definition->frame, **lineages, *earlier_definition->frame, participants);
  }
  return overlaps;
}

absl::StatusOr<v1::TabulateResponse> Analytics::Tabulate(const v1::TabulateRequest& request, const Caller& caller) {
  const auto wave = Await(request.parent(), request.wait_for(), caller);
  if (!wave.ok()) return wave.status();
  const auto overlaps = FindOverlaps(**wave, EarlierWaves::Of(request));
  if (!overlaps.ok()) return overlaps.status();
  const auto view = (*wave)->Read();
  v1::TabulateResponse response;
  const auto tabulated = analytics::Tabulate(view.index(), request, *overlaps, caller.cancelled, response);
  if (!tabulated.ok()) return tabulated;
  *response.mutable_position() = view.position();
  AddNotices(view.definition(), response);
  return response;
}

absl::StatusOr<v1::GetProgressResponse> Analytics::GetProgress(const v1::GetProgressRequest& request, const Caller& caller) {
  const auto wave = Await(request.parent(), request.wait_for(), caller);
  if (!wave.ok()) return wave.status();
  std::optional<absl::CivilDay> day;
  if (absl::CivilDay parsed; absl::ParseCivilTime(request.as_of(), &parsed)) day = parsed;
  v1::GetProgressResponse response;
  *response.mutable_progress() = ProgressOn((*wave)->Read(), day);
  return response;
}

absl::Status Analytics::WatchProgress(const v1::WatchProgressRequest& request, const Caller& caller, const SendProgress& send) {
  const server::Places::Place place(places_);
  if (!place.granted()) return TooManyWaiting();
  while (true) {
    // Looked up again each time: a wave whose frame changes is built anew.
    const auto wave = waves_->Get(request.parent());
    if (!wave.ok()) return wave.status();
    const uint64_t version = (*wave)->version();
    v1::WatchProgressResponse response;
    *response.mutable_progress() = ProgressOn((*wave)->Read(), std::nullopt);
    if (!send(response)) return absl::CancelledError("the caller is gone");
    auto waited = waves_->Pause(kBetweenProgress, caller);
    if (waited.ok()) waited = waves_->AwaitChange(request.parent(), **wave, version, caller);
    if (!waited.ok()) return waited;
  }
}

absl::StatusOr<v1::Trend> Analytics::Trend(const std::vector<std::shared_ptr<LiveWave>>& waves, const sv::OptionCount& option,
                                           const std::string& base_wave) {
  std::vector<TrendWave> counted;
  for (const auto& wave : waves) {
    const auto view = wave->Read();
    TrendWave& trend_wave = counted.emplace_back();
    trend_wave.definition = view.shared_definition();
    trend_wave.records = view.index().records();
    trend_wave.position = view.position();
    const auto place = FindOption(view.index().questionnaire(), option);
    if (place.ok()) trend_wave.counted = CountOption(view.index(), *place, view.index().All());
  }
  return DrawTrend(std::move(counted), option, base_wave);
}

absl::StatusOr<v1::GetTrendResponse> Analytics::GetTrend(const v1::GetTrendRequest& request, const Caller&) {
  const auto waves = waves_->OfSurvey(request.parent());
  if (!waves.ok()) return waves.status();
  auto trend = Trend(*waves, request.option(), request.base_wave());
  if (!trend.ok()) return trend.status();
  v1::GetTrendResponse response;
  *response.mutable_trend() = *std::move(trend);
  return response;
}

absl::StatusOr<v1::ListTrendsResponse> Analytics::ListTrends(const v1::ListTrendsRequest& request, const Caller& caller) {
  status::BadRequest bad;
  const auto page = paging::ReadPage(request, bad);
  if (!bad.empty()) return bad.ToStatus();
  const auto waves = waves_->OfSurvey(request.parent());
  if (!waves.ok()) return waves.status();

  v1::ListTrendsResponse response;
  bool begun = page.after.empty();
  std::string last_key;
  for (const auto& wave : *waves) {
    const auto definition = wave->Read().shared_definition();
    if (!definition->report) continue;
    const std::string base_wave = names::LastId(definition->wave.name());
    for (const auto& published : definition->report->trends()) {
      const std::string key = absl::StrCat(base_wave, "/", published.id());
      if (!begun) {
        begun = key == page.after;
        continue;
      }
      if (response.trends_size() == page.size) {
        response.set_next_page_token(paging::NextPageToken(request, last_key));
        return response;
      }
      if (caller.cancelled()) return absl::CancelledError("the caller is gone");
      auto trend = Trend(*waves, published.option(), base_wave);
      if (trend.ok()) {
        *response.add_trends() = *std::move(trend);
      } else {
        // A report may name what its questionnaire lacks; the other trends are worth having all the same.
        *response.add_trends()->mutable_option() = published.option();
        response.mutable_trends()->rbegin()->add_notices(
            absl::StrCat("De vragenlijst van ", base_wave, " heeft deze vraag of dit antwoord niet."));
      }
      response.mutable_trends()->rbegin()->set_id(published.id());
      last_key = key;
    }
  }
  return response;
}

absl::StatusOr<v1::CompareWithPublishedResponse> Analytics::CompareWithPublished(const v1::CompareWithPublishedRequest& request,
                                                                                 const Caller& caller) {
  const auto wave = Await(request.parent(), request.wait_for(), caller);
  if (!wave.ok()) return wave.status();
  const auto definition = (*wave)->Read().shared_definition();
  if (!definition->report) {
    return status::Error(absl::StatusCode::kNotFound, "PUBLISHED_REPORT_NOT_FOUND",
                         absl::StrCat("nothing is published about ", request.parent()), {{"wave", request.parent()}});
  }
  const auto overlaps = FindOverlaps(**wave, EarlierWaves::Of(*definition->report));
  if (!overlaps.ok()) return overlaps.status();
  const auto view = (*wave)->Read();
  v1::CompareWithPublishedResponse response;
  ComparePublished(view.index(), view.fieldwork(), *definition->report, *overlaps, response);
  *response.mutable_position() = view.position();
  AddNotices(view.definition(), response);
  return response;
}

}  // namespace peiling::analytics
