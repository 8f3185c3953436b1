#include "services/fieldwork/waves/wave_followers.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/deadline/deadline.h"
#include "services/common/feed/feed_metrics.h"
#include "services/common/log/log.h"
#include "services/common/names/partitions.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

constexpr std::chrono::seconds kCallDeadline(5);
constexpr int kMunicipalitiesPerPage = 1000;

// Whether what a wave's feeds and frame are is the same.
bool SameFeeds(const intake::v1::Wave& a, const intake::v1::Wave& b) {
  return a.frame_date() == b.frame_date() && std::max(1, a.partitions()) == std::max(1, b.partitions());
}

absl::StatusOr<std::shared_ptr<const Frame>> LoadFrame(registry::v1::RegistryService::StubInterface& registry,
                                                       const std::string& frame_date) {
  auto frame = std::make_shared<Frame>();
  registry::v1::ListMunicipalitiesRequest request;
  request.set_as_of(frame_date);
  request.set_page_size(kMunicipalitiesPerPage);
  do {
    grpc::ClientContext context;
    deadline::Set(context, kCallDeadline);
    registry::v1::ListMunicipalitiesResponse response;
    const absl::Status called = status::FromGrpc(registry.ListMunicipalities(&context, request, &response));
    if (!called.ok()) return called;
    for (auto& municipality : *response.mutable_municipalities()) frame->municipalities.push_back(std::move(municipality));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  std::sort(frame->municipalities.begin(), frame->municipalities.end(), [](const auto& a, const auto& b) { return a.code() < b.code(); });
  return frame;
}

// A feed of a wave, from where it was; from the beginning once more when it is not the feed it was.
class FeedFollower {
 public:
  FeedFollower(LiveBook& book, std::string wave, int feed, std::string_view kind)
      : book_(book), wave_(std::move(wave)), feed_(feed), kind_(kind) {}

  // One session. `open` begins to watch after a sequence; `read` puts the change an event holds behind the others and gives its sequence, 0
  // when it holds none.
  template <typename Response, typename Item>
  absl::Status Follow(const std::function<std::unique_ptr<grpc::ClientReaderInterface<Response>>(grpc::ClientContext*, uint64_t)>& open,
                      const std::function<uint64_t(Response&, std::vector<Item>&)>& read, grpc::ClientContext& context,
                      const std::function<void()>& healthy) {
    bool started_over = false;
    const auto apply = [&](std::vector<Response>& events) {
      std::vector<Item> items;
      bool caught_up = false;
      for (Response& event : events) {
        if (const uint64_t sequence = read(event, items); sequence > 0) sequence_ = sequence;
        if (!event.has_caught_up()) continue;
        started_over |= event.caught_up().sequence() < sequence_;
        caught_up = true;
      }
      if (started_over) return absl::AbortedError("the feed is shorter than it was");
      book_.TakeIn(wave_, items);
      if (caught_up) book_.SetCaughtUp(wave_, feed_);
      feed::RecordPosition("fieldwork", kind_, wave_, std::max(0, feed_), sequence_);
      return absl::OkStatus();
    };
    const absl::Status ended =
        feed::WatchSession<Response>([&](grpc::ClientContext* watch) { return open(watch, sequence_); }, apply)(context, healthy);
    if (started_over || status::Reason(ended) == "SEQUENCE_IN_FUTURE") {
      log::Warning("a feed has started over; reading it anew", {{"wave", wave_}, {"feed", std::string(kind_)}});
      sequence_ = 0;
      book_.StartOver(wave_, feed_);
    }
    if (absl::IsDataLoss(ended)) PassOver(ended);
    return ended;
  }

 private:
  // Whoever serves the feed cannot read the next event: one response less is known until the next start, and all others are.
  void PassOver(const absl::Status& why) {
    ++sequence_;
    log::Error("an event of a feed cannot be read; it is passed over",
               {{"wave", wave_}, {"feed", std::string(kind_)}, {"sequence", std::to_string(sequence_)}, {"error", why.ToString()}});
  }

  LiveBook& book_;
  const std::string wave_;
  const int feed_;
  const std::string_view kind_;
  uint64_t sequence_ = 0;
};

}  // namespace

// Follows one wave.
class WaveFollowers::Follower {
 public:
  Follower(const Sources& sources, LiveBook& book, const intake::v1::Wave& wave) : sources_(sources), book_(book), wave_(wave) {
    retriers_.push_back(Records());
    for (int partition = 0; partition < std::max(1, wave.partitions()); ++partition) retriers_.push_back(Submissions(partition));
  }

  const intake::v1::Wave& wave() const { return wave_; }
  void Start() {
    for (const auto& retrier : retriers_) retrier->Start();
  }

 private:
  using Context = grpc::ClientContext;
  using Healthy = std::function<void()>;

  std::unique_ptr<feed::Retrier> Records() {
    auto follower = std::make_shared<FeedFollower>(book_, wave_.name(), LiveBook::kRecordFeed, feed::kRecords);
    return std::make_unique<feed::Retrier>(absl::StrCat("records ", wave_.name()), [=, this](Context& context, const Healthy& healthy) {
      if (const absl::Status framed = SetFrame(); !framed.ok()) return framed;
      using Response = dedup::v1::WatchRecordsResponse;
      return follower->Follow<Response, dedup::v1::RecordEvent>(
          [this](Context* watch, uint64_t after) {
            dedup::v1::WatchRecordsRequest request;
            request.set_parent(wave_.name());
            request.set_after_sequence(after);
            return sources_.dedup->WatchRecords(watch, request);
          },
          [](Response& event, auto& changes) -> uint64_t {
            if (!event.has_change()) return 0;
            changes.push_back(std::move(*event.mutable_change()));
            return changes.back().sequence();
          },
          context, healthy);
    });
  }

  std::unique_ptr<feed::Retrier> Submissions(int partition) {
    auto follower = std::make_shared<FeedFollower>(book_, wave_.name(), partition, feed::kSubmissions);
    return std::make_unique<feed::Retrier>(absl::StrCat("submissions ", names::PartitionName(wave_.name(), partition)),
                                           [=, this](Context& context, const Healthy& healthy) {
                                             using Response = intake::v1::WatchSubmissionsResponse;
                                             return follower->Follow<Response, intake::v1::Response>(
                                                 [=, this](Context* watch, uint64_t after) {
                                                   intake::v1::WatchSubmissionsRequest request;
                                                   request.set_parent(wave_.name());
                                                   request.set_partition(partition);
                                                   request.set_after_sequence(after);
                                                   return sources_.intake->WatchSubmissions(watch, request);
                                                 },
                                                 [](Response& event, auto& responses) -> uint64_t {
                                                   if (!event.has_submission()) return 0;
                                                   responses.push_back(std::move(*event.mutable_submission()->mutable_response()));
                                                   return event.submission().sequence();
                                                 },
                                                 context, healthy);
                                           });
  }

  // Once is enough.
  absl::Status SetFrame() {
    if (framed_) return absl::OkStatus();
    auto frame = LoadFrame(*sources_.registry, wave_.frame_date());
    if (!frame.ok()) return frame.status();
    book_.SetFrame(wave_.name(), *std::move(frame));
    framed_ = true;
    return absl::OkStatus();
  }

  const Sources& sources_;
  LiveBook& book_;
  const intake::v1::Wave wave_;
  // Touched by the thread of the records alone.
  bool framed_ = false;
  std::vector<std::unique_ptr<feed::Retrier>> retriers_;
};

WaveFollowers::WaveFollowers(Sources sources, LiveBook& book)
    : sources_(std::move(sources)),
      book_(book),
      catalogue_("waves", [this](auto& context, const auto& healthy) { return FollowCatalogue(context, healthy); }) {}

WaveFollowers::~WaveFollowers() { Stop(); }

void WaveFollowers::Start() { catalogue_.Start(); }

void WaveFollowers::Stop() {
  catalogue_.Stop();
  followers_.clear();
}

absl::Status WaveFollowers::FollowCatalogue(grpc::ClientContext& context, const std::function<void()>& healthy) {
  using Response = intake::v1::WatchWavesResponse;
  // From the beginning each time: the catalogue is small.
  const auto open = [this](grpc::ClientContext* watch) { return sources_.intake->WatchWaves(watch, {}); };
  // Until it has caught up what comes is history: only how each wave is in the end matters.
  std::map<std::string, intake::v1::Wave> latest;
  bool caught_up = false;
  const auto apply = [&](std::vector<Response>& events) {
    for (Response& event : events) {
      if (event.has_wave()) latest[event.wave().wave().name()] = std::move(*event.mutable_wave()->mutable_wave());
      caught_up |= event.has_caught_up();
    }
    if (!caught_up) return absl::OkStatus();
    for (const auto& [name, wave] : std::exchange(latest, {})) Follow(wave);
    book_.SetListed();
    return absl::OkStatus();
  };
  return feed::WatchSession<Response>(open, apply)(context, healthy);
}

void WaveFollowers::Follow(const intake::v1::Wave& wave) {
  auto& follower = followers_[wave.name()];
  if (follower != nullptr && SameFeeds(follower->wave(), wave)) return book_.SetWave(wave);
  follower.reset();
  book_.Open(wave);
  follower = std::make_unique<Follower>(sources_, book_, wave);
  follower->Start();
}

}  // namespace peiling::fieldwork
