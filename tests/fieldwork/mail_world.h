// The mail of one invitation in a world that a test runs by hand: rules are applied, messages are sent, and things happen in between.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/mail/plan_mail.h"

namespace peiling::fieldwork {

inline survey::v1::MailingStep MakeStep(const std::string& id, survey::v1::MailKind kind, survey::v1::MailAnchor anchor, int days = 0,
                                        const std::string& time_of_day = "") {
  survey::v1::MailingStep step;
  step.set_id(id);
  step.set_kind(kind);
  step.set_anchor(anchor);
  step.set_days(days);
  step.set_time_of_day(time_of_day);
  return step;
}

inline absl::Time At(const std::string& local) { return *calendar::ParseLocalMinute(local); }

// A mail as it went.
struct SentMail {
  std::string receiver;
  std::string step;
  survey::v1::MailKind kind;
  absl::Time time;
  // Of the step, with its number when it is an extension.
  std::string part;
  bool came_back = false;

  bool operator==(const SentMail& other) const { return receiver == other.receiver && part == other.part; }
};

class MailWorld {
 public:
  MailWorld() {
    using namespace survey::v1;
    wave.set_name("surveys/s/waves/2026");
    *wave.mutable_opens_at() = calendar::ToProto(At("2026-03-02 09:00"));
    *wave.mutable_closes_at() = calendar::ToProto(At("2026-03-30 17:00"));
    auto& plan = *wave.mutable_mailing_plan();
    *plan.add_steps() = MakeStep("uitnodiging", MAIL_KIND_INVITATION, MAIL_ANCHOR_OPENING);
    *plan.add_steps() = MakeStep("herinnering-1", MAIL_KIND_REMINDER, MAIL_ANCHOR_OPENING, 14, "09:00");
    *plan.add_steps() = MakeStep("herinnering-2", MAIL_KIND_REMINDER, MAIL_ANCHOR_CLOSING, -7, "09:00");
    *plan.add_steps() = MakeStep("verlenging", MAIL_KIND_EXTENSION, MAIL_ANCHOR_EXTENSION);
    *plan.add_steps() = MakeStep("dank", MAIL_KIND_THANKS, MAIL_ANCHOR_SUBMISSION);
    *plan.add_steps() = MakeStep("colleague", MAIL_KIND_COLLEAGUE, MAIL_ANCHOR_UNSPECIFIED);
    facts.invitation.set_name("surveys/s/waves/2026/invitations/GM0363");
    facts.invitation.add_municipalities("GM0363");
    facts.invitation.set_state(v1::INVITATION_STATE_ISSUED);
    *facts.invitation.mutable_issued_at() = calendar::ToProto(At("2026-02-20 10:00"));
    for (int i = 1; i <= 3; ++i) AddContact(i);
    facts.invitation.set_contact(ContactName(1));
  }

  static std::string ContactName(int number) { return absl::StrCat("municipalities/GM0363/contacts/", number); }
  static std::string Receiver(int number) { return absl::StrCat("GM0363-", number); }

  void AddContact(int number) { facts.contacts.push_back({.name = ContactName(number)}); }
  UsableContact& Contact(int number) {
    return *std::find_if(facts.contacts.begin(), facts.contacts.end(),
                         [&](const UsableContact& contact) { return contact.name == ContactName(number); });
  }
  void Submit() {
    facts.submitted = true;
    facts.submitted_at = facts.last_change = now;
  }
  void Reopen() {
    facts.submitted = false;
    facts.last_change = now;
  }
  void Extend(const std::string& until) {
    *wave.mutable_closes_at() = calendar::ToProto(At(until));
    *wave.mutable_extended_at() = calendar::ToProto(now);
    wave.set_extensions(wave.extensions() + 1);
  }
  void HandOver(const std::string& mail_id) {
    std::erase_if(facts.holders, [](const LinkReceiver& holder) { return holder.id == "holder"; });
    facts.invitation.set_handed_over(true);
    facts.invitation.clear_contact();
    facts.holders.push_back({.id = "holder", .mail_id = mail_id, .since = now});
  }

  // As the planner, until nothing changes. How often mail went on to another contact.
  int Plan() {
    int escalations = 0;
    for (;;) {
      const MailPlan plan = PlanMail(now, wave, facts, messages);
      for (const auto& [reason, names] : plan.cancel) {
        for (const std::string& name : names) {
          v1::Message& message = *Find(name);
          message.set_state(v1::MESSAGE_STATE_CANCELLED);
          message.set_cancel_reason(reason);
        }
      }
      for (v1::Message message : plan.add) {
        if (Find(message.name()) != nullptr) continue;
        message.set_state(v1::MESSAGE_STATE_DUE);
        messages.push_back(message);
      }
      if (!plan.escalate_to.has_value()) return escalations;
      if (!facts.invitation.contact().empty()) facts.invitation.add_escalated_from(facts.invitation.contact());
      facts.invitation.set_contact(*plan.escalate_to);
      if (++escalations > 20) return escalations;
    }
  }

  // Sends everything that waits and may go. Mail to `dead` addresses comes back and suppresses them; that to `failing` ones fails.
  void Send() {
    for (v1::Message& message : messages) {
      if (message.state() != v1::MESSAGE_STATE_DUE) continue;
      if (const auto reason = WhyNot(now, wave, facts, message)) {
        message.set_state(v1::MESSAGE_STATE_CANCELLED);
        message.set_cancel_reason(*reason);
        continue;
      }
      if (std::count(failing.begin(), failing.end(), message.contact()) > 0) {
        message.set_state(v1::MESSAGE_STATE_FAILED);
        continue;
      }
      *message.mutable_sent_at() = calendar::ToProto(now);
      const bool came_back = std::count(dead.begin(), dead.end(), message.contact()) > 0;
      message.set_state(came_back ? v1::MESSAGE_STATE_BOUNCED : v1::MESSAGE_STATE_SENT);
      sent.push_back({.receiver = ReceiverOf(message),
                      .step = message.step(),
                      .kind = message.kind(),
                      .time = now,
                      .part = PartOf(message),
                      .came_back = came_back});
      for (UsableContact& contact : facts.contacts) contact.suppressed |= came_back && contact.name == message.contact();
    }
  }

  // Plans and sends every so often until then.
  void RunUntil(const std::string& local, absl::Duration every = absl::Hours(1)) {
    for (const absl::Time end = At(local); now < end;) {
      Plan();
      if (mailer_works) Send();
      Plan();
      now = std::min(end, now + every);
    }
  }

  v1::Message* Find(const std::string& name) {
    const auto found = std::find_if(messages.begin(), messages.end(), [&](const v1::Message& message) { return message.name() == name; });
    return found == messages.end() ? nullptr : &*found;
  }
  // "GM0363-1 uitnodiging 2026-03-02 09:00", …
  std::vector<std::string> Log() const {
    std::vector<std::string> lines;
    for (const SentMail& mail : sent) {
      lines.push_back(absl::StrCat(mail.receiver, " ", mail.part, " ", absl::FormatTime("%m-%d %H:%M", mail.time, calendar::Amsterdam())));
    }
    return lines;
  }

  // What stands between municipality and receiver in a message's name.
  static std::string PartOf(const v1::Message& message) {
    const std::string id = message.name().substr(message.name().rfind('/') + 1);
    const size_t begin = id.find('.') + 1;
    return id.substr(begin, id.rfind('.') - begin);
  }

  absl::Time now = At("2026-02-20 10:00");
  intake::v1::Wave wave;
  MailFacts facts;
  std::vector<v1::Message> messages;
  // Names of contacts whose mail comes back.
  std::vector<std::string> dead;
  // Names of contacts whose mail fails for another reason than the address.
  std::vector<std::string> failing;
  bool mailer_works = true;
  std::vector<SentMail> sent;
};

}  // namespace peiling::fieldwork
