// Who gets which mail when: the rules, without anything that reads or writes. README.md tells them in words.
//
// They are applied again and again, by every replica, to everything as it then stands. What they find depends on that alone: messages have
// names that follow from step and receiver, so that nobody gets a step twice, whoever plans it how often.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/survey/v1/mailing.pb.h"

namespace peiling::fieldwork {

// A contact that may be used.
struct UsableContact {
  // "municipalities/GM0363/contacts/3f2a…".
  std::string name;
  // No mail goes to its address: it came back, or somebody wants none. An address that came back is always suppressed (PlanWave sees to
  // it), so that a contact that is not can be reached.
  bool suppressed = false;
};

// A colleague, or who took over (LinkHolder).
struct LinkReceiver {
  // LinkHolder::id.
  std::string id;
  std::string mail_id;
  absl::Time since = absl::InfinitePast();
  bool suppressed = false;
};

// Everything about one invitation that mail depends on, but for its messages.
struct MailFacts {
  v1::Invitation invitation;
  // In the order they are to be used.
  std::vector<UsableContact> contacts;
  std::vector<LinkReceiver> holders;
  // The invitation's response is submitted, and when.
  bool submitted = false;
  absl::Time submitted_at = absl::InfinitePast();
  // All its municipalities have a submitted response, by whatever way.
  bool answered = false;
  // Last change of the response.
  absl::Time last_change = absl::InfinitePast();
};

// What is to be done for one invitation.
struct MailPlan {
  // In the form Outbox::Add wants.
  std::vector<v1::Message> add;
  // Names of messages that wait and may not go.
  std::map<v1::CancelReason, std::vector<std::string>> cancel;
  // The contact mail goes to from now on, "" when there is none. What is to be mailed then is planned with the next run.
  std::optional<std::string> escalate_to;
  // Before this nothing is to be done unless something else than the time changes.
  absl::Time next = absl::InfiniteFuture();
};

// Between two mails that ask the same person to fill in there are at least so many hours, or as many as there are between their steps when
// those are fewer. Also how long an answer to a second reminder is waited for.
inline constexpr absl::Duration kShortestPause = absl::Hours(72);
// Reminders without an answer after which mail goes to the next contact.
inline constexpr int kRemindersUntilEscalation = 2;
// Thanks come within so long after their time, or not at all.
inline constexpr absl::Duration kThanksUntil = absl::Hours(7 * 24);

// When a step is due; nullopt when that is not known (not opened, extended or submitted). `submitted_at` only counts for anchor SUBMISSION.
std::optional<absl::Time> StepTime(const survey::v1::MailingStep& step, const intake::v1::Wave& wave,
                                   absl::Time submitted_at = absl::InfinitePast());

// The step of a wave's plan; null when it has none of this id (any more).
const survey::v1::MailingStep* FindStep(const intake::v1::Wave& wave, const std::string& id);

// Part of a message's name that says who it goes to: "GM0363-2" for a contact, else LinkHolder::mail_id.
std::string ReceiverOf(const v1::Message& message);
// The same of a contact's name; "" of "".
std::string ReceiverOfContact(const std::string& contact);

// Why a message may not go now; nullopt: it may.
std::optional<v1::CancelReason> WhyNot(absl::Time now, const intake::v1::Wave& wave, const MailFacts& facts, const v1::Message& message);

// `messages`: all there are of this invitation.
MailPlan PlanMail(absl::Time now, const intake::v1::Wave& wave, const MailFacts& facts, const std::vector<v1::Message>& messages);

}  // namespace peiling::fieldwork
