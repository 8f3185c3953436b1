#include "services/fieldwork/mail/planner.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

// Once in so long, everything is looked at whatever is known: contacts may be used from a day on, or until one.
constexpr absl::Duration kLongestInterval = absl::Minutes(5);
// During a wave somebody saves every few seconds: for that alone, everything is looked at once in so long. What it stops is stopped before
// it is sent all the same (PlanPolicy::Judge).
constexpr absl::Duration kResponsesInterval = absl::Seconds(30);
// Of one invitation in one run; what is left is planned in the next.
constexpr int kMaxEscalations = 5;

// Nothing is mailed any more, and nothing waits.
bool IsPast(const intake::v1::Wave& wave, absl::Time now) {
  const bool closed =
      wave.has_closes_at() && now > calendar::FromProto(wave.closes_at()) + calendar::FromProto(wave.grace_period()) + 2 * kThanksUntil;
  return closed || (wave.has_personal_data_erased_at() && now > calendar::FromProto(wave.personal_data_erased_at()) + kThanksUntil);
}

}  // namespace

void Planner::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Planner::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Planner::Pause(absl::Duration time) {
  std::unique_lock lock(mutex_);
  return !stopped_.wait_for(lock, absl::ToChronoNanoseconds(time), [this] { return stop_; });
}

void Planner::Run() {
  while (Pause(interval_)) {
    for (const std::string& wave : sources_.book.Waves()) {
      Known& known = known_[wave];
      Tell(wave, PlanIfChanged(wave, known), known);
      if (!Pause(absl::ZeroDuration())) return;
    }
  }
}

absl::StatusOr<std::vector<uint64_t>> Planner::Versions(const std::string& wave) {
  std::vector<uint64_t> versions;
  for (const auto& version :
       {sources_.invitations.Version(wave), outbox_.Version(wave), sources_.contacts.Version(), sources_.suppressions.Version()}) {
    if (!version.ok()) return version.status();
    versions.push_back(*version);
  }
  return versions;
}

absl::Status Planner::PlanIfChanged(const std::string& wave, Known& known) {
  // What changes from here on is seen next time.
  Known seen{.book = sources_.book.Version(wave), .planned = sources_.clock(), .error = known.error};
  auto details = sources_.book.Get(wave);
  if (!details.ok()) return details.status();
  seen.wave = *std::move(details);
  auto versions = Versions(wave);
  if (!versions.ok()) return versions.status();
  seen.versions = *std::move(versions);
  const absl::Time again = seen.book == known.book ? known.next : std::min(known.next, known.planned + kResponsesInterval);
  if (seen.wave == known.wave && seen.versions == known.versions && seen.planned < again) return absl::OkStatus();
  known.next = absl::InfinitePast();
  const auto next = PlanWave(wave);
  if (!next.ok()) return next.status();
  seen.next = std::min(*next, seen.planned + kLongestInterval);
  known = std::move(seen);
  return absl::OkStatus();
}

void Planner::Tell(const std::string& wave, const absl::Status& status, Known& known) {
  std::string error(status.message());
  if (error == known.error) return;
  if (error.empty()) {
    log::Info("mail is planned again", {{"wave", wave}});
  } else {
    log::Warning("mail cannot be planned", {{"wave", wave}, {"error", error}});
  }
  known.error = std::move(error);
}

absl::StatusOr<absl::Time> Planner::PlanWave(const std::string& wave) {
  const auto details = sources_.book.Get(wave);
  if (!details.ok()) return details.status();
  if (!(*details)->wave.has_mailing_plan() || IsPast((*details)->wave, sources_.clock())) return absl::InfiniteFuture();
  std::vector<v1::Invitation> invitations;
  if (absl::Status read = sources_.invitations.ForEach(wave, [&](const v1::Invitation& each) { invitations.push_back(each); }); !read.ok())
    return read;
  std::map<std::string, std::vector<v1::Message>> messages;
  if (absl::Status read = outbox_.ForEach(wave, [&](const v1::Message& each) { messages[each.invitation()].push_back(each); }); !read.ok())
    return read;
  // A message that came back is stored before its address is suppressed. Of those that were read just now that is done from here on, so
  // that none of them seems to go to an address that was let in again.
  if (absl::Status swept = outbox_.Sweep(wave); !swept.ok()) return swept;
  absl::Status result;
  absl::Time next = absl::InfiniteFuture();
  for (v1::Invitation& invitation : invitations) {
    const std::vector<v1::Message>& own = messages[invitation.name()];
    result.Update(PlanInvitation(**details, std::move(invitation), own, next));
  }
  if (!result.ok()) return result;
  return next;
}

absl::Status Planner::PlanInvitation(const WaveDetails& wave, v1::Invitation invitation, const std::vector<v1::Message>& messages,
                                     absl::Time& next) {
  const std::string& name = wave.wave.name();
  for (int escalations = 0; escalations <= kMaxEscalations; ++escalations) {
    auto facts = ReadFacts(sources_, name, invitation);
    if (!facts.ok()) return facts.status();
    const MailPlan plan = PlanMail(sources_.clock(), wave.wave, *facts, messages);
    next = std::min(next, plan.next);
    for (const auto& [reason, cancelled] : plan.cancel) {
      if (absl::Status done = outbox_.Cancel(name, cancelled, reason); !done.ok()) return done;
    }
    if (!plan.add.empty()) {
      if (const auto added = outbox_.Add(name, plan.add); !added.ok()) return added.status();
    }
    if (!plan.escalate_to.has_value()) return absl::OkStatus();
    const absl::Status escalated = sources_.invitations.Escalate(invitation.name(), invitation.contact(), *plan.escalate_to);
    // Another replica, or somebody, was faster: the next run sees what they did.
    if (status::Reason(escalated) == "CONCURRENT_CHANGE") return absl::OkStatus();
    if (!escalated.ok()) return escalated;
    log::Info("mail goes to another contact", {{"invitation", invitation.name()}, {"contact", *plan.escalate_to}});
    auto changed = sources_.invitations.Get(invitation.name());
    if (!changed.ok()) return changed.status();
    invitation = *std::move(changed);
  }
  return absl::OkStatus();
}

}  // namespace peiling::fieldwork
