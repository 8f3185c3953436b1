#include "services/dedup/wave_follower.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/deadline/deadline.h"
#include "services/common/feed/feed_metrics.h"
#include "services/common/log/log.h"
#include "services/common/names/partitions.h"
#include "services/common/status/errors.h"
#include "services/dedup/dedup_metrics.h"

namespace peiling::dedup {
namespace {

using absl::StatusCode;
using intake::v1::SubmissionEvent;

// Times an event fails, in as many sessions, before it is set aside: some seconds.
constexpr int kSuspicions = 5;
constexpr std::chrono::seconds kFetchDeadline(5);

// Whether the event itself may be at fault. Not when the error passes by itself, and not when somebody has something to set right first (a
// credential, another program's version, a wave's setup): all events would fail then.
bool MayBePoison(const absl::Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
    case StatusCode::kAlreadyExists:
    case StatusCode::kOutOfRange:
    case StatusCode::kInternal:
    case StatusCode::kDataLoss:
    case StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace

intake::v1::Wave Essence(const intake::v1::Wave& wave) {
  intake::v1::Wave essence;
  essence.set_name(wave.name());
  essence.set_questionnaire(wave.questionnaire());
  essence.set_questionnaire_fingerprint(wave.questionnaire_fingerprint());
  essence.set_frame_date(wave.frame_date());
  essence.set_partitions(std::max(1, wave.partitions()));
  return essence;
}

WaveFollower::WaveFollower(Upstream& upstream, Waves& waves, const intake::v1::Wave& wave, int partition)
    : upstream_(upstream),
      waves_(waves),
      wave_(Essence(wave)),
      partition_(partition),
      resolve_([this](const auto& texts, const auto& as_of) { return upstream_.Resolve(texts, as_of); }),
      retrier_(absl::StrCat("submissions ", names::PartitionName(wave.name(), partition)),
               [this](grpc::ClientContext& context, const std::function<void()>& healthy) {
                 absl::Status followed = Follow(context, healthy);
                 progress_.Failed(followed);
                 return followed;
               }) {}

void WaveFollower::Stop() {
  retrier_.Stop();
  SetPoisonedEvents(wave_.name(), partition_, 0);  // From here on somebody else tells.
}

intake::v1::WatchSubmissionsRequest WaveFollower::RequestAfter(uint64_t sequence) const {
  intake::v1::WatchSubmissionsRequest request;
  request.set_parent(wave_.name());
  request.set_partition(partition_);
  request.set_after_sequence(sequence);
  return request;
}

absl::Status WaveFollower::Follow(grpc::ClientContext& context, const std::function<void()>& healthy) {
  auto source = upstream_.FetchSource(wave_);
  if (!source.ok()) return source.status();
  auto ledger = waves_.Prepare(*source, resolve_);
  if (!ledger.ok()) return ledger.status();
  if (absl::Status late = TakeInLate(**ledger); !late.ok()) return late;
  auto after = (*ledger)->SubmissionSequence(partition_);
  if (!after.ok()) return after.status();
  TellPosition(*after);
  return Watch(**ledger, *after, context, healthy);
}

absl::Status WaveFollower::Watch(WaveLedger& ledger, uint64_t after, grpc::ClientContext& context, const std::function<void()>& healthy) {
  using Message = intake::v1::WatchSubmissionsResponse;
  const auto open = [&](grpc::ClientContext* watch) { return upstream_.intake().WatchSubmissions(watch, RequestAfter(after)); };
  absl::Status taken;
  const auto apply = [&](std::vector<Message>& messages) {
    std::vector<SubmissionEvent> events;
    bool caught_up = false;
    for (Message& message : messages) {
      if (message.has_submission()) events.push_back(std::move(*message.mutable_submission()));
      caught_up |= message.has_caught_up();
    }
    taken = TakeIn(ledger, events);
    if (taken.ok() && !events.empty()) after = events.back().sequence();
    if (taken.ok() && caught_up) progress_.CaughtUp();
    return taken;
  };
  const absl::Status watched = feed::WatchSession<Message>(open, apply)(context, healthy);
  if (!taken.ok() || !absl::IsDataLoss(watched)) return watched;
  // Intake itself cannot read the next one.
  SubmissionEvent unreadable;
  unreadable.set_sequence(after + 1);
  const absl::Status past = Suspect(ledger, unreadable, watched);
  return past.ok() ? status::Error(StatusCode::kAborted, "EVENT_SET_ASIDE", "to be followed from after the event set aside") : past;
}

absl::Status WaveFollower::TakeIn(WaveLedger& ledger, absl::Span<const SubmissionEvent> events) {
  if (events.empty()) return absl::OkStatus();
  absl::Status taken = ledger.Apply(partition_, events, resolve_);
  if (MayBePoison(taken)) {
    // Which of them is it?
    for (const SubmissionEvent& event : events) {
      taken = ledger.Apply(partition_, {event}, resolve_);
      if (MayBePoison(taken)) taken = Suspect(ledger, event, taken);
      if (!taken.ok()) return taken;
    }
  }
  if (taken.ok()) TellPosition(events.back().sequence());
  return taken;
}

absl::Status WaveFollower::Suspect(WaveLedger& ledger, const SubmissionEvent& event, const absl::Status& why) {
  if (suspect_ != event.sequence()) suspicions_ = 0;
  suspect_ = event.sequence();
  if (++suspicions_ < kSuspicions) return why;
  if (absl::Status aside = ledger.SetAside(partition_, event, why); !aside.ok()) return aside;
  log::Error("a submission cannot be taken in; it is set aside and tried again when following begins anew",
             {{"wave", wave_.name()},
              {"partition", std::to_string(partition_)},
              {"sequence", std::to_string(event.sequence())},
              {"response", event.response().name()},
              {"error", why.ToString()}});
  CountSetAside(ledger);
  return absl::OkStatus();
}

absl::Status WaveFollower::TakeInLate(WaveLedger& ledger) {
  auto sequences = ledger.ListSetAside(partition_);
  if (!sequences.ok()) return sequences.status();
  for (const uint64_t sequence : *sequences) {
    auto event = Fetch(sequence);
    const absl::Status taken = event.ok() ? ledger.TakeInLate(partition_, *event, resolve_) : event.status();
    if (!taken.ok() && !MayBePoison(taken)) return taken;
    log::Warning(
        taken.ok() ? "a submission that was set aside is taken in after all" : "a submission that was set aside still cannot be taken in",
        {{"wave", wave_.name()},
         {"partition", std::to_string(partition_)},
         {"sequence", std::to_string(sequence)},
         {"error", taken.ToString()}});
  }
  CountSetAside(ledger);
  return absl::OkStatus();
}

absl::StatusOr<SubmissionEvent> WaveFollower::Fetch(uint64_t sequence) {
  grpc::ClientContext context;
  deadline::Set(context, kFetchDeadline);
  auto reader = upstream_.intake().WatchSubmissions(&context, RequestAfter(sequence - 1));
  intake::v1::WatchSubmissionsResponse message;
  const bool came = reader->Read(&message) && message.submission().sequence() == sequence;
  context.TryCancel();  // The watch would go on.
  const absl::Status finished = status::FromGrpc(reader->Finish());
  if (came) return std::move(*message.mutable_submission());
  return finished.ok() || absl::IsCancelled(finished) ? absl::NotFoundError("intake no longer has it") : finished;
}

void WaveFollower::TellPosition(uint64_t sequence) const {
  feed::RecordPosition("dedup", feed::kSubmissions, wave_.name(), partition_, sequence);
}

void WaveFollower::CountSetAside(WaveLedger& ledger) {
  if (auto sequences = ledger.ListSetAside(partition_); sequences.ok()) SetPoisonedEvents(wave_.name(), partition_, sequences->size());
}

}  // namespace peiling::dedup
