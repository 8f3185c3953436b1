#include "services/dedup/wave_follower.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"

namespace peiling::dedup {
namespace {

// What of a wave concerns dedup; a new title is no reason to begin again.
intake::v1::Wave Essence(const intake::v1::Wave& wave) {
  intake::v1::Wave essence;
  essence.set_name(wave.name());
  essence.set_questionnaire(wave.questionnaire());
  essence.set_questionnaire_fingerprint(wave.questionnaire_fingerprint());
  essence.set_frame_date(wave.frame_date());
  essence.set_partitions(std::max(1, wave.partitions()));
  return essence;
}

}  // namespace

void Progress::CaughtUp() {
  std::lock_guard lock(mutex_);
  caught_up_ = true;
  problem_.clear();
}

void Progress::Failed(const absl::Status& status) {
  std::lock_guard lock(mutex_);
  problem_ = std::string(status.message());
}

bool Progress::caught_up() const {
  std::lock_guard lock(mutex_);
  return caught_up_;
}

std::string Progress::problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}

WaveFollower::WaveFollower(Upstream& upstream, Waves& waves, intake::v1::Wave wave)
    : upstream_(upstream),
      waves_(waves),
      wave_(Essence(wave)),
      retrier_(absl::StrCat("submissions ", wave.name()), [this](grpc::ClientContext& context, const std::function<void()>& healthy) {
        absl::Status followed = Follow(context, healthy);
        progress_.Failed(followed);
        return followed;
      }) {}

absl::Status WaveFollower::Follow(grpc::ClientContext& context, const std::function<void()>& healthy) {
  auto source = upstream_.FetchSource(wave_);
  if (!source.ok()) return source.status();
  const Resolve resolve = [this](const auto& texts, const auto& as_of) { return upstream_.Resolve(texts, as_of); };
  auto ledger = waves_.Prepare(*source, resolve);
  if (!ledger.ok()) return ledger.status();
  auto after = (*ledger)->SubmissionSequence(0);
  if (!after.ok()) return after.status();

  using Message = intake::v1::WatchSubmissionsResponse;
  const auto open = [&](grpc::ClientContext* watch) {
    intake::v1::WatchSubmissionsRequest request;
    request.set_parent(wave_.name());
    request.set_after_sequence(*after);
    return upstream_.intake().WatchSubmissions(watch, request);
  };
  const auto apply = [&](std::vector<Message>& messages) -> absl::Status {
    std::vector<intake::v1::SubmissionEvent> events;
    bool caught_up = false;
    for (Message& message : messages) {
      if (message.has_submission()) events.push_back(std::move(*message.mutable_submission()));
      caught_up |= message.has_caught_up();
    }
    if (absl::Status applied = (*ledger)->Apply(0, events, resolve); !applied.ok()) return applied;
    if (caught_up) progress_.CaughtUp();
    return absl::OkStatus();
  };
  return feed::WatchSession<Message>(open, apply)(context, healthy);
}

CatalogueFollower::CatalogueFollower(Upstream& upstream, Waves& waves)
    : upstream_(upstream), waves_(waves), retrier_("waves", [this](grpc::ClientContext& context, const std::function<void()>& healthy) {
        absl::Status followed = Follow(context, healthy);
        progress_.Failed(followed);
        return followed;
      }) {}

CatalogueFollower::~CatalogueFollower() { Stop(); }

void CatalogueFollower::Stop() {
  retrier_.Stop();  // Nobody adds followers from here on.
  std::map<std::string, std::unique_ptr<WaveFollower>> followers;
  {
    std::lock_guard lock(mutex_);
    followers.swap(followers_);
  }
  for (auto& [name, follower] : followers) follower->Stop();
}

absl::Status CatalogueFollower::Follow(grpc::ClientContext& context, const std::function<void()>& healthy) {
  using Message = intake::v1::WatchWavesResponse;
  // From the beginning each time: the catalogue is small, and a wave that is known already is passed over.
  const auto open = [this](grpc::ClientContext* watch) { return upstream_.intake().WatchWaves(watch, {}); };
  const auto apply = [this](std::vector<Message>& messages) {
    for (const Message& message : messages) {
      if (message.has_wave()) OnWave(message.wave().wave());
      if (message.has_caught_up()) progress_.CaughtUp();
    }
    return absl::OkStatus();
  };
  return feed::WatchSession<Message>(open, apply)(context, healthy);
}

void CatalogueFollower::OnWave(const intake::v1::Wave& wave) {
  std::unique_ptr<WaveFollower> replaced;
  {
    std::lock_guard lock(mutex_);
    auto& follower = followers_[wave.name()];
    if (follower != nullptr && follower->wave().SerializeAsString() == Essence(wave).SerializeAsString()) return;
    replaced = std::move(follower);
  }
  if (replaced != nullptr) replaced->Stop();  // Before the new one begins; not under the lock, health asks for it.
  auto fresh = std::make_unique<WaveFollower>(upstream_, waves_, wave);
  fresh->Start();
  log::Info("following a wave", {{"wave", wave.name()}, {"frame_date", wave.frame_date()}});
  std::lock_guard lock(mutex_);
  followers_[wave.name()] = std::move(fresh);
}

bool CatalogueFollower::ready() const { return not_ready_reason().empty(); }

std::string CatalogueFollower::not_ready_reason() const {
  std::lock_guard lock(mutex_);
  if (ready_) return "";
  const auto describe = [](const std::string& what, const Progress& progress) {
    return absl::StrCat("not caught up with ", what, progress.problem().empty() ? "" : ": ", progress.problem());
  };
  if (!progress_.caught_up()) return describe("intake's waves", progress_);
  for (const auto& [name, follower] : followers_) {
    if (follower == nullptr) return absl::StrCat("setting up ", name);
    if (!follower->progress().caught_up()) return describe(name, follower->progress());
  }
  ready_ = true;
  return "";
}

}  // namespace peiling::dedup
