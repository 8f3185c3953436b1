#include "services/fieldwork/mail/plan_mail.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/resource_names.h"
#include "services/fieldwork/invitations/invitation_store.h"
#include "services/fieldwork/mail/message_life.h"

namespace peiling::fieldwork {
namespace {

using survey::v1::MailingStep;
using survey::v1::MailKind;

// Messages that are cancelled are made anew when what was in the way is gone, at most so often.
constexpr int kMaxRounds = 10;

// Waits, or is on its way: nothing else that asks the same goes to the same person meanwhile.
bool IsPending(const v1::Message& message) {
  return message.state() == v1::MESSAGE_STATE_DUE || message.state() == v1::MESSAGE_STATE_LEASED ||
         message.state() == v1::MESSAGE_STATE_BEGUN || message.state() == v1::MESSAGE_STATE_UNCERTAIN;
}
bool WasSent(const v1::Message& message) {
  return message.state() == v1::MESSAGE_STATE_SENT || message.state() == v1::MESSAGE_STATE_DELIVERED;
}

absl::Time DueAt(const v1::Message& message) { return calendar::FromProto(message.due_at()); }
absl::Time SentAt(const v1::Message& message) { return std::max(DueAt(message), calendar::FromProto(message.sent_at())); }

bool AsksToFillIn(MailKind kind) { return kind != survey::v1::MAIL_KIND_THANKS; }
// What is mailed at a moment of the plan to get an answer.
bool IsCall(MailKind kind) { return kind == survey::v1::MAIL_KIND_INVITATION || kind == survey::v1::MAIL_KIND_REMINDER; }

// From when it is too late for mail of a kind. Thanks come after the end, too; a colleague can go on within grace.
absl::Time EndOf(const intake::v1::Wave& wave, MailKind kind) {
  absl::Time end = absl::InfiniteFuture();
  if (wave.has_personal_data_erased_at()) end = calendar::FromProto(wave.personal_data_erased_at());
  if (kind == survey::v1::MAIL_KIND_THANKS || !wave.has_closes_at()) return end;
  const bool colleague = kind == survey::v1::MAIL_KIND_COLLEAGUE;
  return std::min(end,
                  calendar::FromProto(wave.closes_at()) + (colleague ? calendar::FromProto(wave.grace_period()) : absl::ZeroDuration()));
}

template <typename Items, typename Key>
auto FindBy(const Items& items, const std::string& wanted, const Key& key) {
  return std::find_if(items.begin(), items.end(), [&](const auto& item) { return key(item) == wanted; });
}

const UsableContact* FindContact(const MailFacts& facts, const std::string& name) {
  const auto found = FindBy(facts.contacts, name, [](const UsableContact& contact) { return contact.name; });
  return found == facts.contacts.end() ? nullptr : &*found;
}
const LinkReceiver* FindHolder(const MailFacts& facts, const std::string& mail_id) {
  const auto found = FindBy(facts.holders, mail_id, [](const LinkReceiver& holder) { return holder.mail_id; });
  return found == facts.holders.end() ? nullptr : &*found;
}

// Whether a message is of a step that comes later than it was due: it was moved.
bool IsMoved(absl::Time now, const intake::v1::Wave& wave, const MailingStep& step, const v1::Message& message) {
  const auto time = StepTime(step, wave);
  return time.has_value() && *time > now && *time > DueAt(message);
}

std::optional<v1::CancelReason> WhyNotToContact(const MailFacts& facts, const v1::Message& message) {
  if (facts.invitation.handed_over()) return v1::CANCEL_REASON_REVOKED;
  const UsableContact* contact = FindContact(facts, message.contact());
  if (contact == nullptr) return v1::CANCEL_REASON_NO_CONTACT;
  if (contact->suppressed) return v1::CANCEL_REASON_SUPPRESSED;
  // Thanks go to whoever was written to last.
  const bool present = facts.invitation.contact() == message.contact();
  return present || !AsksToFillIn(message.kind()) ? std::nullopt : std::optional(v1::CANCEL_REASON_NO_CONTACT);
}

std::optional<v1::CancelReason> WhyNotToHolder(const MailFacts& facts, const v1::Message& message) {
  const LinkReceiver* holder = FindHolder(facts, ReceiverOf(message));
  if (holder == nullptr) return v1::CANCEL_REASON_REVOKED;
  return holder->suppressed ? std::optional(v1::CANCEL_REASON_SUPPRESSED) : std::nullopt;
}

// One run for one invitation.
class Run {
 public:
  Run(absl::Time now, const intake::v1::Wave& wave, const MailFacts& facts, const std::vector<v1::Message>& messages)
      : now_(now), wave_(wave), facts_(facts), messages_(messages) {}

  MailPlan Plan() {
    Cancel();
    if (facts_.invitation.state() == v1::INVITATION_STATE_REVOKED || !wave_.has_mailing_plan()) return std::move(plan_);
    if (MayAsk() && Escalate()) return std::move(plan_);
    WriteToColleagues();
    Thank();
    if (const std::string receiver = Receiver(); MayAsk() && !receiver.empty()) {
      Invite(receiver);
      if (!TellOfExtension(receiver)) Remind(receiver);
    }
    return std::move(plan_);
  }

 private:
  struct Moment {
    const MailingStep* step = nullptr;
    absl::Time time = absl::InfinitePast();
  };

  void Cancel() {
    for (const v1::Message& message : messages_) {
      // What is begun may have gone.
      if (message.state() != v1::MESSAGE_STATE_DUE && message.state() != v1::MESSAGE_STATE_LEASED) continue;
      HasCome(EndOf(wave_, message.kind()));
      if (const auto reason = WhyNot(now_, wave_, facts_, message)) plan_.cancel[*reason].push_back(message.name());
    }
  }

  // Whether it is time; else that is looked at again then.
  bool HasCome(absl::Time time) {
    if (time > now_) plan_.next = std::min(plan_.next, time);
    return time <= now_;
  }

  // Whether somebody is to be asked to fill in.
  bool MayAsk() { return !facts_.submitted && !facts_.answered && !HasCome(EndOf(wave_, survey::v1::MAIL_KIND_INVITATION)); }

  absl::Time IssuedAt() const { return calendar::FromProto(facts_.invitation.issued_at()); }

  // Who is asked now: as in names of messages, "" when there is nobody.
  std::string Receiver() const {
    if (!facts_.invitation.handed_over()) return ReceiverOfContact(facts_.invitation.contact());
    const auto holder = FindBy(facts_.holders, InvitationStore::kHolder, [](const LinkReceiver& each) { return each.id; });
    return holder == facts_.holders.end() || holder->suppressed ? "" : holder->mail_id;
  }

  template <typename Which>
  std::vector<const v1::Message*> Of(const std::string& receiver, const Which& which) const {
    std::vector<const v1::Message*> found;
    for (const v1::Message& message : messages_) {
      if (ReceiverOf(message) == receiver && which(message)) found.push_back(&message);
    }
    return found;
  }
  template <typename Which>
  bool Any(const std::string& receiver, const Which& which) const {
    return !Of(receiver, which).empty();
  }

  // --- Whom to write to.

  // Who takes the place of the present contact: the first nobody has written to, or tried to in vain; when there is none, and the present
  // one cannot be reached, the first who can. "": nobody.
  std::string NextContact(bool unreachable) const {
    const auto maybe_read = [](const v1::Message& message) {
      return WasSent(message) || message.state() == v1::MESSAGE_STATE_BEGUN || message.state() == v1::MESSAGE_STATE_UNCERTAIN;
    };
    std::string known;
    for (const UsableContact& contact : facts_.contacts) {
      if (contact.name == facts_.invitation.contact() || contact.suppressed) continue;
      const std::string receiver = ReceiverOfContact(contact.name);
      if (!Any(receiver, maybe_read) && !KeepsFailing(receiver)) return contact.name;
      if (known.empty()) known = contact.name;
    }
    return unreachable ? known : "";
  }

  // Whether a contact has left reminders unanswered, and had the time to answer.
  bool IsSilent(const std::string& receiver) {
    absl::Time heard = std::max(facts_.last_change, IssuedAt());
    if (facts_.invitation.has_opened_at()) heard = std::max(heard, calendar::FromProto(facts_.invitation.opened_at()));
    const auto reminders = Of(receiver, [&](const v1::Message& message) {
      return message.kind() == survey::v1::MAIL_KIND_REMINDER && WasSent(message) && SentAt(message) > heard;
    });
    const auto waited = std::count_if(reminders.begin(), reminders.end(), [&](const v1::Message* message) {
      const MailingStep* step = FindStep(wave_, message->step());
      return HasCome(SentAt(*message) + (step == nullptr ? kShortestPause : PauseBefore(*step)));
    });
    return waited >= kRemindersUntilEscalation;
  }

  // Whether mail to somebody failed, and when it was time for a reminder again, and none went in between.
  bool KeepsFailing(const std::string& receiver) const {
    absl::Time first = absl::InfiniteFuture();
    absl::Time last = absl::InfinitePast();
    for (const v1::Message* message : Of(receiver, [](const v1::Message& each) { return each.state() == v1::MESSAGE_STATE_FAILED; })) {
      first = std::min(first, DueAt(*message));
      last = std::max(last, DueAt(*message));
    }
    if (Any(receiver, [&](const v1::Message& message) { return WasSent(message) && SentAt(message) > first; })) return false;
    const auto& steps = wave_.mailing_plan().steps();
    return std::any_of(steps.begin(), steps.end(), [&](const MailingStep& step) {
      const auto time = step.kind() == survey::v1::MAIL_KIND_REMINDER ? StepTime(step, wave_) : std::nullopt;
      return time.has_value() && *time > first && *time <= last;
    });
  }

  bool Escalate() {
    if (facts_.invitation.handed_over()) return false;
    const std::string& present = facts_.invitation.contact();
    const UsableContact* contact = FindContact(facts_, present);
    const bool unreachable = contact == nullptr || contact->suppressed;
    const std::string receiver = ReceiverOfContact(present);
    if (!unreachable && !IsSilent(receiver) && !KeepsFailing(receiver)) return false;
    std::string next = NextContact(unreachable);
    // Whoever is silent may answer yet, and what failed may go; there is nobody better.
    if (next.empty() && (!unreachable || present.empty())) return false;
    plan_.escalate_to = std::move(next);
    return true;
  }

  // --- What to write.

  // The latest step of a kind whose time has come.
  Moment LatestDue(MailKind kind, absl::Time submitted_at = absl::InfinitePast()) {
    Moment latest;
    for (const MailingStep& step : wave_.mailing_plan().steps()) {
      const auto time = step.kind() == kind ? StepTime(step, wave_, submitted_at) : std::nullopt;
      if (time.has_value() && HasCome(*time) && *time >= latest.time) latest = {&step, *time};
    }
    return latest;
  }

  // How long somebody is left alone before this step.
  absl::Duration PauseBefore(const MailingStep& step) const {
    const auto time = StepTime(step, wave_);
    absl::Duration pause = kShortestPause;
    for (const MailingStep& other : wave_.mailing_plan().steps()) {
      const auto earlier = IsCall(other.kind()) ? StepTime(other, wave_) : std::nullopt;
      if (time.has_value() && earlier.has_value() && *earlier < *time) pause = std::min(pause, *time - *earlier);
    }
    return pause;
  }

  // Whether a message that is there is no reason not to write: it went nowhere, and what was in the way is gone; or what it said is void.
  bool IsToBeMadeAnew(const v1::Message& message, const MailingStep& step) {
    // Only who can be reached is written to: at another address, or one that was let in again.
    if (CameBack(message)) return true;
    // Its link ended when the invitation was revoked.
    if (step.kind() == survey::v1::MAIL_KIND_INVITATION && WasSent(message)) return SentAt(message) < IssuedAt();
    // It was not for the address: when it is time for a reminder, once more.
    if (message.state() == v1::MESSAGE_STATE_FAILED) return LatestDue(survey::v1::MAIL_KIND_REMINDER).time > DueAt(message);
    if (message.state() != v1::MESSAGE_STATE_CANCELLED) return false;
    if (message.cancel_reason() != v1::CANCEL_REASON_SUBMITTED) return true;
    // Who opens what was submitted again is at work on it, and is left alone as after a mail. That it is submitted may also be what intake
    // said, and not be known here yet.
    return HasCome(std::max(facts_.last_change, DueAt(message)) + PauseBefore(step));
  }

  // Adds the message unless its receiver had it.
  void Add(const MailingStep& step, const std::string& part, const std::string& receiver, absl::Time due) {
    v1::Message message;
    message.set_invitation(facts_.invitation.name());
    message.set_step(step.id());
    message.set_kind(step.kind());
    for (const UsableContact& contact : facts_.contacts) {
      if (ReceiverOfContact(contact.name) == receiver) message.set_contact(contact.name);
    }
    for (int round = 1; round <= kMaxRounds; ++round) {
      message.set_name(NameOf(part, receiver, round));
      const auto found = FindBy(messages_, message.name(), [](const v1::Message& each) { return each.name(); });
      if (found == messages_.end()) {
        *message.mutable_due_at() = calendar::ToProto(due);
        return plan_.add.push_back(std::move(message));
      }
      if (!IsToBeMadeAnew(*found, step)) return;
      // Else it would be its own reason to be made anew.
      if (found->state() == v1::MESSAGE_STATE_FAILED || found->cancel_reason() == v1::CANCEL_REASON_SUBMITTED) due = now_;
    }
  }

  std::string NameOf(const std::string& part, const std::string& receiver, int round) const {
    const std::string id = absl::StrCat(names::LastId(facts_.invitation.name()), ".", part, ".", receiver);
    return absl::StrCat(names::WaveOf(facts_.invitation.name()), "/messages/", id, round == 1 ? "" : absl::StrCat("~", round));
  }

  void Invite(const std::string& receiver) {
    if (facts_.invitation.handed_over()) return;
    const Moment moment = LatestDue(survey::v1::MAIL_KIND_INVITATION);
    // What is due before it was issued had a link that ended since; the clock it was issued by may be ahead.
    if (moment.step != nullptr) Add(*moment.step, moment.step->id(), receiver, std::max(now_, IssuedAt()));
  }

  // Whether somebody was invited with it, by a link that did not end when the invitation was revoked. Who took over: with their link.
  bool HasInvited(const v1::Message& message) const {
    const bool invites =
        message.kind() == (facts_.invitation.handed_over() ? survey::v1::MAIL_KIND_COLLEAGUE : survey::v1::MAIL_KIND_INVITATION);
    return invites && WasSent(message) && SentAt(message) >= IssuedAt();
  }

  void Remind(const std::string& receiver) {
    const Moment moment = LatestDue(survey::v1::MAIL_KIND_REMINDER);
    if (moment.step == nullptr) return;
    if (!Any(receiver, [&](const v1::Message& message) { return HasInvited(message); })) return;
    const absl::Duration pause = PauseBefore(*moment.step);
    // Whoever is at work on it is left alone as after a mail.
    absl::Time due = std::max(moment.time, facts_.last_change + pause);
    for (const v1::Message* message : Of(receiver, [](const v1::Message& each) { return AsksToFillIn(each.kind()); })) {
      if (IsPending(*message)) return;
      if (WasSent(*message)) due = std::max(due, SentAt(*message) + pause);
    }
    if (HasCome(due)) Add(*moment.step, moment.step->id(), receiver, due);
  }

  // Whether that is to be done now.
  bool TellOfExtension(const std::string& receiver) {
    const Moment moment = LatestDue(survey::v1::MAIL_KIND_EXTENSION);
    if (moment.step == nullptr) return false;
    const absl::Time extended = calendar::FromProto(wave_.extended_at());
    // Who was invited later was told the new time.
    if (!Any(receiver, [&](const v1::Message& message) { return HasInvited(message) && SentAt(message) < extended; })) return false;
    // So was who is told of an extension before this one after it.
    const auto told = [&](const v1::Message& message) {
      return message.step() == moment.step->id() && (IsPending(message) || (WasSent(message) && SentAt(message) >= extended));
    };
    if (Any(receiver, told)) return false;
    absl::Time due = moment.time;
    // Whoever opens it again after that sees until when it can be done, and is left alone for a while.
    if (facts_.last_change > extended) due = std::max(due, facts_.last_change + PauseBefore(*moment.step));
    if (!HasCome(due)) return false;
    const size_t before = plan_.add.size();
    Add(*moment.step, absl::StrCat(moment.step->id(), "~", wave_.extensions()), receiver, due);
    return plan_.add.size() > before;
  }

  void WriteToColleagues() {
    const auto& steps = wave_.mailing_plan().steps();
    const auto step =
        std::find_if(steps.begin(), steps.end(), [](const MailingStep& each) { return each.kind() == survey::v1::MAIL_KIND_COLLEAGUE; });
    if (step == steps.end() || HasCome(EndOf(wave_, step->kind()))) return;
    for (const LinkReceiver& holder : facts_.holders) {
      if (!holder.suppressed) Add(*step, step->id(), holder.mail_id, holder.since);
    }
  }

  // The message that was sent last of those that ask the holder of the invitation; null when there is none.
  const v1::Message* LastSent() const {
    const v1::Message* last = nullptr;
    for (const v1::Message& message : messages_) {
      if (!WasSent(message) || !AsksToFillIn(message.kind()) || !MayBeThanked(message)) continue;
      if (last == nullptr || SentAt(message) > SentAt(*last)) last = &message;
    }
    return last;
  }

  // Whether a message went to who holds the invitation now, or to a contact before.
  bool MayBeThanked(const v1::Message& message) const {
    if (!message.contact().empty()) return !facts_.invitation.handed_over();
    return facts_.invitation.handed_over() && ReceiverOf(message) == Receiver();
  }

  void Thank() {
    if (!facts_.submitted) return;
    const Moment moment = LatestDue(survey::v1::MAIL_KIND_THANKS, facts_.submitted_at);
    const v1::Message* last = LastSent();
    if (moment.step == nullptr || last == nullptr || now_ > moment.time + kThanksUntil) return;
    v1::Message thanks = *last;
    thanks.set_kind(survey::v1::MAIL_KIND_THANKS);
    thanks.set_step(moment.step->id());
    if (WhyNot(now_, wave_, facts_, thanks).has_value()) return;
    const bool thanked = std::any_of(messages_.begin(), messages_.end(), [&](const v1::Message& message) {
      return message.step() == moment.step->id() && message.state() != v1::MESSAGE_STATE_CANCELLED && DueAt(message) == moment.time;
    });
    if (!thanked) Add(*moment.step, moment.step->id(), ReceiverOf(*last), moment.time);
  }

  const absl::Time now_;
  const intake::v1::Wave& wave_;
  const MailFacts& facts_;
  const std::vector<v1::Message>& messages_;
  MailPlan plan_;
};

}  // namespace

std::optional<absl::Time> StepTime(const MailingStep& step, const intake::v1::Wave& wave, absl::Time submitted_at) {
  std::optional<absl::Time> anchor;
  switch (step.anchor()) {
    case survey::v1::MAIL_ANCHOR_OPENING:
      if (wave.has_opens_at()) anchor = calendar::FromProto(wave.opens_at());
      break;
    case survey::v1::MAIL_ANCHOR_CLOSING:
      if (wave.has_closes_at()) anchor = calendar::FromProto(wave.closes_at());
      break;
    case survey::v1::MAIL_ANCHOR_EXTENSION:
      if (wave.has_extended_at()) anchor = calendar::FromProto(wave.extended_at());
      break;
    case survey::v1::MAIL_ANCHOR_SUBMISSION:
      if (submitted_at != absl::InfinitePast()) anchor = submitted_at;
      break;
    default:
      break;
  }
  if (!anchor.has_value()) return std::nullopt;
  return calendar::AddDays(*anchor, step.days(), step.time_of_day()) + calendar::FromProto(step.offset());
}

const MailingStep* FindStep(const intake::v1::Wave& wave, const std::string& id) {
  const auto& steps = wave.mailing_plan().steps();
  const auto found = FindBy(steps, id, [](const MailingStep& step) { return step.id(); });
  return found == steps.end() ? nullptr : &*found;
}

std::string ReceiverOf(const v1::Message& message) {
  const std::string id = names::LastId(message.name());
  const size_t begin = id.rfind('.') + 1;
  return id.substr(begin, id.find('~', begin) - begin);
}

std::string ReceiverOfContact(const std::string& contact) {
  const auto ids = names::Match(contact, "municipalities/*/contacts/*");
  return ids.has_value() ? absl::StrCat((*ids)[0], "-", (*ids)[1]) : "";
}

std::optional<v1::CancelReason> WhyNot(absl::Time now, const intake::v1::Wave& wave, const MailFacts& facts, const v1::Message& message) {
  if (now >= EndOf(wave, message.kind())) return v1::CANCEL_REASON_WAVE_CLOSED;
  if (facts.invitation.state() == v1::INVITATION_STATE_REVOKED) return v1::CANCEL_REASON_REVOKED;
  const MailingStep* step = FindStep(wave, message.step());
  if (step == nullptr || IsMoved(now, wave, *step, message)) return v1::CANCEL_REASON_STEP_REMOVED;
  const auto receiver = message.contact().empty() ? WhyNotToHolder(facts, message) : WhyNotToContact(facts, message);
  if (receiver.has_value() || message.kind() == survey::v1::MAIL_KIND_COLLEAGUE) return receiver;
  if (message.kind() == survey::v1::MAIL_KIND_THANKS) {
    return facts.submitted ? std::nullopt : std::optional(v1::CANCEL_REASON_NOT_SUBMITTED);
  }
  return facts.submitted || facts.answered ? std::optional(v1::CANCEL_REASON_SUBMITTED) : std::nullopt;
}

MailPlan PlanMail(absl::Time now, const intake::v1::Wave& wave, const MailFacts& facts, const std::vector<v1::Message>& messages) {
  return Run(now, wave, facts, messages).Plan();
}

}  // namespace peiling::fieldwork
