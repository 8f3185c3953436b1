#include "services/analytics/wave_followers.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/analytics/frame.h"
#include "services/analytics/index_metrics.h"
#include "services/common/deadline/deadline.h"
#include "services/common/feed/feed_metrics.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace {

constexpr std::chrono::seconds kCallDeadline{5};
constexpr int kMunicipalitiesPerPage = 1000;
constexpr char kStartedOver[] = "FEED_STARTED_OVER";

// The feed's store was put back to an earlier state, or started over: what was counted from it is no longer true.
bool FeedStartedOver(const absl::Status& status) {
  return status::Reason(status) == "SEQUENCE_IN_FUTURE" || status::Reason(status) == kStartedOver;
}

// A unary call with a deadline of its own.
template <typename Stub, typename Request, typename Response>
absl::Status Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
                  Response& response) {
  grpc::ClientContext context;
  deadline::Set(context, kCallDeadline);
  return status::FromGrpc((stub.*method)(&context, request, &response));
}

using Intake = intake::v1::IntakeService::StubInterface;
using Registry = registry::v1::RegistryService::StubInterface;

absl::StatusOr<std::shared_ptr<const survey::CompiledQuestionnaire>> LoadQuestionnaire(Intake& intake, const std::string& name) {
  intake::v1::GetQuestionnaireRequest request;
  request.set_name(name);
  intake::v1::GetQuestionnaireResponse response;
  const auto called = Call(intake, &Intake::GetQuestionnaire, request, response);
  if (!called.ok()) return called;
  return survey::CompiledQuestionnaire::Compile(std::move(*response.mutable_questionnaire()));
}

absl::StatusOr<std::shared_ptr<const Frame>> LoadFrame(Registry& registry, const std::string& frame_date, const std::string& groups_date) {
  std::vector<registry::v1::Municipality> municipalities;
  registry::v1::ListMunicipalitiesRequest request;
  request.set_as_of(frame_date);
  request.set_page_size(kMunicipalitiesPerPage);
  do {
    registry::v1::ListMunicipalitiesResponse response;
    const auto called = Call(registry, &Registry::ListMunicipalities, request, response);
    if (!called.ok()) return called;
    for (auto& municipality : *response.mutable_municipalities()) municipalities.push_back(std::move(municipality));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return std::make_shared<const Frame>(municipalities, groups_date.empty() ? frame_date : groups_date);
}

absl::StatusOr<std::optional<survey::v1::PublishedReport>> LoadReport(Intake& intake, const std::string& wave) {
  intake::v1::GetPublishedReportRequest request;
  request.set_parent(wave);
  intake::v1::GetPublishedReportResponse response;
  const auto called = Call(intake, &Intake::GetPublishedReport, request, response);
  if (absl::IsNotFound(called)) return std::nullopt;
  if (!called.ok()) return called;
  return std::move(*response.mutable_report());
}

bool SameQuestionsAndFrame(const intake::v1::Wave& a, const intake::v1::Wave& b) {
  return a.questionnaire_fingerprint() == b.questionnaire_fingerprint() && a.questionnaire() == b.questionnaire() &&
         a.frame_date() == b.frame_date() && a.groups_date() == b.groups_date();
}

}  // namespace

// Follows one wave, as it is described now. A change of the description makes a new follower, which takes over the index when it still
// fits.
class WaveFollowers::Follower {
 public:
  Follower(const WaveFollowers& owner, intake::v1::Wave wave, std::shared_ptr<LiveWave> live)
      : sources_(owner.sources_),
        waves_(*owner.waves_),
        zone_(owner.zone_),
        snapshots_(owner.snapshots_),
        wave_(std::move(wave)),
        live_(std::move(live)),
        records_(absl::StrCat("records ", wave_.name()), [this](auto& context, const auto& healthy) { return Session(context, healthy); }) {
  }

  void Start() { records_.Start(); }
  // Ends the following; what has been built remains.
  std::shared_ptr<LiveWave> Stop() {
    records_.Stop();
    return live_;
  }

 private:
  absl::Status Session(grpc::ClientContext& context, const std::function<void()>& healthy) {
    if (!described_) {
      const auto described = Describe();
      if (!described.ok()) return described;
      described_ = true;
    }
    dedup::v1::WatchRecordsRequest request;
    request.set_parent(wave_.name());
    // The last event once more: it tells whether this is still the feed that was counted from.
    request.set_after_sequence(std::max<uint64_t>(live_->Read().position().records(), 1) - 1);
    const auto watch = feed::WatchSession<dedup::v1::WatchRecordsResponse>(
        [&](grpc::ClientContext* call) { return sources_.dedup->WatchRecords(call, request); },
        [this](std::vector<dedup::v1::WatchRecordsResponse>& events) { return TakeIn(events); });
    const auto ended = watch(context, healthy);
    if (FeedStartedOver(ended)) {
      log::Warning("the record feed has started over; counting anew", {{"wave", wave_.name()}});
      Place(std::make_shared<LiveWave>(live_->Read().shared_definition(), zone_));
    }
    return ended;
  }

  // Reads all about the wave. The index stays when questions and frame are the same.
  absl::Status Describe() {
    auto definition = std::make_shared<WaveDefinition>();
    definition->wave = wave_;
    auto report = LoadReport(*sources_.intake, wave_.name());
    if (!report.ok()) return report.status();
    definition->report = *std::move(report);
    if (live_ != nullptr) {
      const auto before = live_->Read().shared_definition();
      if (SameQuestionsAndFrame(before->wave, wave_)) {
        definition->questionnaire = before->questionnaire;
        definition->frame = before->frame;
        live_->Redefine(std::move(definition));
        waves_.Changed();
        return absl::OkStatus();
      }
    }
    auto questionnaire = LoadQuestionnaire(*sources_.intake, wave_.questionnaire());
    if (!questionnaire.ok()) return questionnaire.status();
    definition->questionnaire = *std::move(questionnaire);
    auto frame = LoadFrame(*sources_.registry, wave_.frame_date(), wave_.groups_date());
    if (!frame.ok()) return frame.status();
    definition->frame = *std::move(frame);
    auto saved = snapshots_ == nullptr ? nullptr : snapshots_->Load(definition, zone_);
    Place(saved != nullptr ? std::move(saved) : std::make_shared<LiveWave>(std::move(definition), zone_));
    return absl::OkStatus();
  }

  void Place(std::shared_ptr<LiveWave> wave) {
    live_ = std::move(wave);
    waves_.Place(wave_.name(), live_);
  }

  void Measure() const {
    const auto view = live_->Read();
    feed::RecordPosition("analytics", feed::kRecords, wave_.name(), 0, view.position().records());
    RecordIndex(wave_.name(), view.index().records(), view.index().bytes());
  }

  absl::Status TakeIn(std::vector<dedup::v1::WatchRecordsResponse>& events) {
    for (auto& event : events) {
      const bool ends_too_soon = event.has_caught_up() && event.caught_up().sequence() < live_->Read().position().records();
      if (ends_too_soon || (event.has_change() && !live_->Apply(std::move(*event.mutable_change())))) {
        return status::Error(absl::StatusCode::kOutOfRange, kStartedOver, "the record feed is not the one that was counted from");
      }
      if (event.has_caught_up() && !live_->caught_up()) {
        live_->SetCaughtUp();
        log::Info("index is caught up", {{"wave", wave_.name()}, {"sequence", std::to_string(event.caught_up().sequence())}});
      }
    }
    Measure();
    waves_.Changed();
    return absl::OkStatus();
  }

  const Sources sources_;
  LiveWaves& waves_;
  const absl::TimeZone zone_;
  Snapshots* const snapshots_;
  const intake::v1::Wave wave_;
  bool described_ = false;
  std::shared_ptr<LiveWave> live_;
  feed::Retrier records_;
};

WaveFollowers::WaveFollowers(Sources sources, std::shared_ptr<LiveWaves> waves, absl::TimeZone zone, Snapshots* snapshots)
    : sources_(std::move(sources)),
      waves_(std::move(waves)),
      zone_(zone),
      snapshots_(snapshots),
      list_("waves", [this](auto& context, const auto& healthy) { return FollowList(context, healthy); }) {}

WaveFollowers::~WaveFollowers() { Stop(); }

void WaveFollowers::Start() { list_.Start(); }

void WaveFollowers::Stop() {
  list_.Stop();
  for (auto& [name, follower] : followers_) follower->Stop();
}

absl::Status WaveFollowers::FollowList(grpc::ClientContext& context, const std::function<void()>& healthy) {
  intake::v1::WatchWavesRequest request;
  request.set_after_sequence(sequence_);
  const auto watch = feed::WatchSession<intake::v1::WatchWavesResponse>(
      [&](grpc::ClientContext* call) { return sources_.intake->WatchWaves(call, request); },
      [this](const std::vector<intake::v1::WatchWavesResponse>& events) { return TakeIn(events); });
  const auto ended = watch(context, healthy);
  if (FeedStartedOver(ended)) {
    log::Warning("the list of waves has started over; reading it anew");
    sequence_ = 0;
  }
  return ended;
}

absl::Status WaveFollowers::TakeIn(const std::vector<intake::v1::WatchWavesResponse>& events) {
  bool caught_up = false;
  for (const auto& event : events) {
    caught_up |= event.has_caught_up();
    if (!event.has_wave()) continue;
    const auto& wave = event.wave().wave();
    waves_->Announce(wave.name());
    unfollowed_[wave.name()] = wave;
    sequence_ = event.wave().sequence();
  }
  listed_ |= caught_up;
  if (!listed_) return absl::OkStatus();
  for (const auto& [name, wave] : std::exchange(unfollowed_, {})) Follow(wave);
  if (caught_up) waves_->SetListed();
  return absl::OkStatus();
}

void WaveFollowers::Follow(const intake::v1::Wave& wave) {
  auto& follower = followers_[wave.name()];
  auto live = follower == nullptr ? nullptr : follower->Stop();
  follower = std::make_unique<Follower>(*this, wave, std::move(live));
  follower->Start();
}

}  // namespace peiling::analytics
