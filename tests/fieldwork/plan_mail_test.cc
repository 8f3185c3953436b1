#include "services/fieldwork/mail/plan_mail.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fieldwork/mail_world.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Moment {
  const char* what;
  survey::v1::MailAnchor anchor;
  int days;
  const char* time_of_day;
  int offset_seconds;
  // In Europe/Amsterdam.
  const char* opens;
  const char* want;
};

TEST(StepTime, FollowsDutchClocksAlsoWhenTheyChange) {
  const Moment moments[] = {
      {"at opening", survey::v1::MAIL_ANCHOR_OPENING, 0, "", 0, "2026-03-02 09:00", "2026-03-02 09:00"},
      {"so many days on", survey::v1::MAIL_ANCHOR_OPENING, 14, "", 0, "2026-03-02 09:00", "2026-03-16 09:00"},
      {"across the spring change", survey::v1::MAIL_ANCHOR_OPENING, 28, "", 0, "2026-03-02 09:00", "2026-03-30 09:00"},
      {"across the autumn change", survey::v1::MAIL_ANCHOR_OPENING, 7, "10:15", 0, "2026-10-20 09:00", "2026-10-27 10:15"},
      {"an hour that is skipped", survey::v1::MAIL_ANCHOR_OPENING, 1, "02:30", 0, "2026-03-28 09:00", "2026-03-29 03:00"},
      {"an hour that comes twice", survey::v1::MAIL_ANCHOR_OPENING, 1, "02:30", 0, "2026-10-24 09:00", "2026-10-25 02:30"},
      {"before", survey::v1::MAIL_ANCHOR_OPENING, -3, "08:00", 0, "2026-03-31 09:00", "2026-03-28 08:00"},
      {"an exact offset", survey::v1::MAIL_ANCHOR_OPENING, 0, "", 5400, "2026-03-29 01:00", "2026-03-29 03:30"},
      {"an offset back", survey::v1::MAIL_ANCHOR_OPENING, 0, "", -60, "2026-03-02 09:00", "2026-03-02 08:59"},
      {"closing", survey::v1::MAIL_ANCHOR_CLOSING, -7, "09:00", 0, "2026-03-02 09:00", "2026-04-23 09:00"},
  };
  for (const Moment& moment : moments) {
    intake::v1::Wave wave;
    *wave.mutable_opens_at() = calendar::ToProto(At(moment.opens));
    *wave.mutable_closes_at() = calendar::ToProto(At("2026-04-30 17:00"));
    survey::v1::MailingStep step = MakeStep("s", survey::v1::MAIL_KIND_REMINDER, moment.anchor, moment.days, moment.time_of_day);
    step.mutable_offset()->set_seconds(moment.offset_seconds);
    EXPECT_EQ(StepTime(step, wave), At(moment.want)) << moment.what;
  }
}

TEST(StepTime, IsNotKnownBeforeItsAnchorIs) {
  const intake::v1::Wave wave;
  for (const auto anchor : {survey::v1::MAIL_ANCHOR_UNSPECIFIED, survey::v1::MAIL_ANCHOR_OPENING, survey::v1::MAIL_ANCHOR_CLOSING,
                            survey::v1::MAIL_ANCHOR_EXTENSION, survey::v1::MAIL_ANCHOR_SUBMISSION}) {
    EXPECT_EQ(StepTime(MakeStep("s", survey::v1::MAIL_KIND_REMINDER, anchor), wave), std::nullopt);
  }
}

class PlanMailTest : public testing::Test, protected MailWorld {
 protected:
  v1::CancelReason ReasonOf(const std::string& id) {
    const v1::Message* message = Find(absl::StrCat("surveys/s/waves/2026/messages/", id));
    return message == nullptr || message->state() != v1::MESSAGE_STATE_CANCELLED ? v1::CANCEL_REASON_UNSPECIFIED : message->cancel_reason();
  }
};

TEST_F(PlanMailTest, WhoStaysSilentIsInvitedAndRemindedAndThenTheNextIs) {
  RunUntil("2026-04-10 00:00");
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-16 09:00", "GM0363-1 herinnering-2 03-23 09:00",
                          "GM0363-2 uitnodiging 03-26 09:00", "GM0363-2 herinnering-2 03-29 10:00"));
  EXPECT_THAT(facts.invitation.escalated_from(), ElementsAre(ContactName(1)));
}

TEST_F(PlanMailTest, AMessageIsNamedAfterMunicipalityStepAndReceiver) {
  RunUntil("2026-03-02 10:00");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].name(), "surveys/s/waves/2026/messages/GM0363.uitnodiging.GM0363-1");
  EXPECT_EQ(messages[0].contact(), ContactName(1));
  EXPECT_EQ(messages[0].invitation(), facts.invitation.name());
  EXPECT_EQ(calendar::FromProto(messages[0].due_at()), At("2026-03-02 09:00"));
  EXPECT_EQ(ReceiverOf(messages[0]), "GM0363-1");
}

TEST_F(PlanMailTest, NothingIsMailedBeforeItsTime) {
  RunUntil("2026-03-02 09:00");
  EXPECT_THAT(messages, IsEmpty());
}

TEST_F(PlanMailTest, WhoIsInvitedLateGetsTheInvitationAndLaterOneReminder) {
  now = At("2026-03-24 10:00");
  *facts.invitation.mutable_issued_at() = calendar::ToProto(now);
  RunUntil("2026-04-10 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-24 10:00", "GM0363-1 herinnering-2 03-27 10:00"));
}

TEST_F(PlanMailTest, AfterMailStoodStillNobodyGetsItAllAtOnce) {
  mailer_works = false;
  RunUntil("2026-03-25 10:00");
  mailer_works = true;
  RunUntil("2026-04-10 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-25 10:00", "GM0363-1 herinnering-2 03-28 10:00"));
}

TEST_F(PlanMailTest, AReminderThatWaitsHoldsUpTheNext) {
  RunUntil("2026-03-16 08:00");
  mailer_works = false;
  RunUntil("2026-03-23 12:00");
  mailer_works = true;
  RunUntil("2026-03-27 00:00");
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-23 12:00", "GM0363-1 herinnering-2 03-26 12:00"));
}

TEST_F(PlanMailTest, APlanOfSecondsKeepsItsOwnPauses) {
  using namespace survey::v1;
  wave.mutable_mailing_plan()->clear_steps();
  *wave.mutable_mailing_plan()->add_steps() = MakeStep("u", MAIL_KIND_INVITATION, MAIL_ANCHOR_OPENING);
  for (const int second : {20, 40, 60}) {
    MailingStep step = MakeStep(absl::StrCat("h", second), MAIL_KIND_REMINDER, MAIL_ANCHOR_OPENING);
    step.mutable_offset()->set_seconds(second);
    *wave.mutable_mailing_plan()->add_steps() = step;
  }
  now = At("2026-03-02 09:00");
  RunUntil("2026-03-02 09:03", absl::Seconds(1));
  std::vector<std::string> seconds;
  for (const SentMail& mail : sent) {
    seconds.push_back(absl::StrCat(mail.receiver, " ", mail.part, " ", absl::ToInt64Seconds(mail.time - At("2026-03-02 09:00"))));
  }
  EXPECT_THAT(seconds, ElementsAre("GM0363-1 u 0", "GM0363-1 h20 20", "GM0363-1 h40 40", "GM0363-2 u 60", "GM0363-2 h60 80"));
}

TEST_F(PlanMailTest, WhoHasSubmittedIsThankedOnceAndNotReminded) {
  RunUntil("2026-03-10 12:00");
  Submit();
  RunUntil("2026-04-10 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 dank 03-10 12:00"));
}

TEST_F(PlanMailTest, AReminderThatWaitsIsCancelledByTheSubmission) {
  RunUntil("2026-03-16 08:00");
  mailer_works = false;
  RunUntil("2026-03-16 10:00");
  Submit();
  EXPECT_EQ(WhyNot(now, wave, facts, messages.back()), v1::CANCEL_REASON_SUBMITTED);
  Plan();
  EXPECT_EQ(ReasonOf("GM0363.herinnering-1.GM0363-1"), v1::CANCEL_REASON_SUBMITTED);
}

TEST_F(PlanMailTest, WhoReopensIsRemindedOfWhatWasCancelledOnceLeftAloneForAWhile) {
  RunUntil("2026-03-23 08:00");
  mailer_works = false;
  RunUntil("2026-03-23 10:00");
  Submit();
  RunUntil("2026-03-23 12:00");
  EXPECT_EQ(ReasonOf("GM0363.herinnering-2.GM0363-1"), v1::CANCEL_REASON_SUBMITTED);
  mailer_works = true;
  facts.submitted = false;
  facts.last_change = now;
  RunUntil("2026-03-28 00:00");
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-16 09:00", "GM0363-1 herinnering-2 03-26 12:00"));
}

TEST_F(PlanMailTest, WhoReopensIsLeftAloneForAWhileAlsoWhenTheReminderIsOlder) {
  RunUntil("2026-03-10 12:00");
  Submit();
  RunUntil("2026-03-20 12:00");
  Reopen();
  RunUntil("2026-03-26 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 dank 03-10 12:00", "GM0363-1 herinnering-2 03-23 12:00"));
}

TEST_F(PlanMailTest, WhoReopensAfterAnExtensionIsToldOfItOnceLeftAloneForAWhile) {
  RunUntil("2026-03-10 12:00");
  Submit();
  RunUntil("2026-03-20 12:00");
  Extend("2026-04-10 17:00");
  RunUntil("2026-03-21 12:00");
  Reopen();
  RunUntil("2026-03-28 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 dank 03-10 12:00", "GM0363-1 verlenging~1 03-24 12:00",
                                 "GM0363-1 herinnering-1 03-27 12:00"));
}

TEST_F(PlanMailTest, WhoIsAtWorkWhenAWaveIsExtendedIsToldAtOnce) {
  RunUntil("2026-03-20 12:00");
  facts.last_change = now - absl::Minutes(10);
  Extend("2026-04-10 17:00");
  RunUntil("2026-03-20 13:00");
  EXPECT_EQ(Log().back(), "GM0363-1 verlenging~1 03-20 12:00");
}

TEST_F(PlanMailTest, WhatIntakeSaysIsSubmittedIsNotMadeAnewUntilTheFeedSaysSo) {
  RunUntil("2026-03-16 09:00");
  Plan();
  for (int i = 0; i < 20; ++i) {
    for (v1::Message& message : messages) {
      if (message.state() != v1::MESSAGE_STATE_DUE) continue;
      message.set_state(v1::MESSAGE_STATE_CANCELLED);
      message.set_cancel_reason(v1::CANCEL_REASON_SUBMITTED);
    }
    now += absl::Seconds(2);
    Plan();
  }
  EXPECT_EQ(messages.size(), 2u);
  Submit();
  RunUntil("2026-03-20 12:00");
  Reopen();
  RunUntil("2026-03-24 00:00");
  EXPECT_EQ(Log().back(), "GM0363-1 herinnering-2 03-23 12:00");
}

TEST_F(PlanMailTest, WhatHasBegunIsLeftAlone) {
  RunUntil("2026-03-16 08:00");
  mailer_works = false;
  RunUntil("2026-03-16 10:00");
  for (const auto state : {v1::MESSAGE_STATE_BEGUN, v1::MESSAGE_STATE_UNCERTAIN, v1::MESSAGE_STATE_SENT}) {
    messages.back().set_state(state);
    Submit();
    EXPECT_THAT(PlanMail(now, wave, facts, messages).cancel, IsEmpty());
  }
  messages.back().set_state(v1::MESSAGE_STATE_LEASED);
  EXPECT_THAT(PlanMail(now, wave, facts, messages).cancel,
              ElementsAre(testing::Pair(v1::CANCEL_REASON_SUBMITTED, ElementsAre(messages.back().name()))));
}

TEST_F(PlanMailTest, AnAnswerThatCameAnotherWayEndsRemindersWithoutThanks) {
  RunUntil("2026-03-10 12:00");
  facts.answered = true;
  RunUntil("2026-04-10 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00"));
}

TEST_F(PlanMailTest, WhoReopensIsRemindedAgainAndThankedNoSecondTime) {
  RunUntil("2026-03-10 12:00");
  Submit();
  RunUntil("2026-03-12 12:00");
  facts.submitted = false;
  RunUntil("2026-03-17 12:00");
  Submit();
  RunUntil("2026-04-10 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 dank 03-10 12:00", "GM0363-1 herinnering-1 03-16 09:00"));
}

TEST_F(PlanMailTest, ThanksThatWereCancelledAreGivenAtTheNextSubmission) {
  RunUntil("2026-03-10 12:00");
  mailer_works = false;
  Submit();
  RunUntil("2026-03-10 14:00");
  facts.submitted = false;
  RunUntil("2026-03-10 16:00");
  EXPECT_EQ(ReasonOf("GM0363.dank.GM0363-1"), v1::CANCEL_REASON_NOT_SUBMITTED);
  mailer_works = true;
  Submit();
  RunUntil("2026-03-12 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 dank 03-10 16:00"));
}

TEST_F(PlanMailTest, ThanksGoToWhoWasWrittenToLastAlsoAfterTheEnd) {
  RunUntil("2026-03-30 16:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(2));
  Submit();
  mailer_works = false;
  RunUntil("2026-03-31 12:00");
  mailer_works = true;
  RunUntil("2026-04-10 00:00");
  EXPECT_EQ(Log().back(), "GM0363-2 dank 03-31 12:00");
}

TEST_F(PlanMailTest, ThanksThatAreLongPastAreNotGiven) {
  RunUntil("2026-03-10 12:00");
  Submit();
  now = At("2026-03-18 12:00");
  RunUntil("2026-03-20 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00"));
}

TEST_F(PlanMailTest, WhoOpenedTheLinkOrWroteIsNotSilent) {
  for (const bool opened : {true, false}) {
    MailWorld world;
    world.RunUntil("2026-03-18 12:00");
    if (opened) *world.facts.invitation.mutable_opened_at() = calendar::ToProto(world.now);
    if (!opened) world.facts.last_change = world.now;
    world.RunUntil("2026-04-10 00:00");
    EXPECT_EQ(world.facts.invitation.contact(), ContactName(1));
  }
}

TEST_F(PlanMailTest, WithoutAnotherContactRemindersGoOn) {
  facts.contacts.resize(1);
  *wave.mutable_mailing_plan()->add_steps() =
      MakeStep("herinnering-3", survey::v1::MAIL_KIND_REMINDER, survey::v1::MAIL_ANCHOR_CLOSING, -1);
  RunUntil("2026-04-10 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-16 09:00",
                                 "GM0363-1 herinnering-2 03-23 09:00", "GM0363-1 herinnering-3 03-29 17:00"));
}

TEST_F(PlanMailTest, MailThatComesBackGoesOnUntilSomebodyIsReached) {
  dead = {ContactName(1), ContactName(2)};
  RunUntil("2026-03-18 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-2 uitnodiging 03-02 10:00", "GM0363-3 uitnodiging 03-02 11:00",
                                 "GM0363-3 herinnering-1 03-16 09:00"));
  EXPECT_THAT(facts.invitation.escalated_from(), ElementsAre(ContactName(1), ContactName(2)));
}

TEST_F(PlanMailTest, WhenNobodyCanBeReachedThereIsNoContactUntilOneIsMended) {
  dead = {ContactName(1), ContactName(2), ContactName(3)};
  RunUntil("2026-03-05 00:00");
  EXPECT_EQ(facts.invitation.contact(), "");
  EXPECT_EQ(sent.size(), 3u);
  dead.clear();
  Contact(2).suppressed = false;
  RunUntil("2026-03-06 00:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(2));
  EXPECT_EQ(Log().back(), "GM0363-2 uitnodiging 03-05 00:00");
  EXPECT_EQ(messages.back().name(), "surveys/s/waves/2026/messages/GM0363.uitnodiging.GM0363-2~2");
  EXPECT_EQ(ReceiverOf(messages.back()), "GM0363-2");
}

TEST_F(PlanMailTest, AFailureThatSaysNothingOfTheAddressIsMadeUpForAtTheNextReminder) {
  RunUntil("2026-03-02 09:00");
  Plan();
  messages[0].set_state(v1::MESSAGE_STATE_FAILED);
  RunUntil("2026-03-24 00:00");
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-16 09:00", "GM0363-1 herinnering-1 03-19 09:00", "GM0363-1 herinnering-2 03-23 09:00"));
  EXPECT_EQ(facts.invitation.contact(), ContactName(1));
  EXPECT_THAT(facts.invitation.escalated_from(), IsEmpty());
}

TEST_F(PlanMailTest, WhatFailsAgainWaitsForTheReminderAfterThatWhenThereIsNobodyElse) {
  facts.contacts.resize(1);
  RunUntil("2026-03-02 09:00");
  Plan();
  messages[0].set_state(v1::MESSAGE_STATE_FAILED);
  mailer_works = false;
  RunUntil("2026-03-16 09:00");
  Plan();
  ASSERT_EQ(messages.size(), 2u);
  messages[1].set_state(v1::MESSAGE_STATE_FAILED);
  RunUntil("2026-03-23 08:00");
  EXPECT_EQ(messages.size(), 2u);
  mailer_works = true;
  RunUntil("2026-03-24 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-23 09:00"));
}

TEST_F(PlanMailTest, WhoseMailAlsoFailsWhenItIsTimeForAReminderIsPassedOver) {
  failing = {ContactName(1)};
  RunUntil("2026-03-24 00:00");
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-2 uitnodiging 03-16 10:00", "GM0363-2 herinnering-1 03-19 10:00", "GM0363-2 herinnering-2 03-23 09:00"));
  EXPECT_THAT(facts.invitation.escalated_from(), ElementsAre(ContactName(1)));
}

TEST_F(PlanMailTest, WhileNoMailGoesContactsAreUsedUpNoFasterThanReminders) {
  *wave.mutable_mailing_plan()->add_steps() =
      MakeStep("herinnering-3", survey::v1::MAIL_KIND_REMINDER, survey::v1::MAIL_ANCHOR_CLOSING, -1);
  failing = {ContactName(1), ContactName(2), ContactName(3)};
  RunUntil("2026-03-16 09:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(1));
  RunUntil("2026-03-23 09:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(2));
  RunUntil("2026-03-29 12:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(3));
  failing.clear();
  RunUntil("2026-03-30 12:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-3 uitnodiging 03-29 17:00"));
  EXPECT_THAT(facts.invitation.escalated_from(), ElementsAre(ContactName(1), ContactName(2)));
}

TEST_F(PlanMailTest, WhenMailFailsForEverybodyItStaysWithTheLast) {
  *wave.mutable_mailing_plan()->add_steps() =
      MakeStep("herinnering-3", survey::v1::MAIL_KIND_REMINDER, survey::v1::MAIL_ANCHOR_CLOSING, -1);
  facts.contacts.resize(2);
  failing = {ContactName(1), ContactName(2)};
  RunUntil("2026-03-30 12:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(2));
  EXPECT_THAT(facts.invitation.escalated_from(), ElementsAre(ContactName(1)));
}

TEST_F(PlanMailTest, FailuresBetweenWhichMailWentAreNoReasonToPassSomebodyOver) {
  RunUntil("2026-03-15 12:00");
  failing = {ContactName(1)};
  RunUntil("2026-03-17 12:00");
  failing.clear();
  Extend("2026-04-10 17:00");
  RunUntil("2026-04-02 12:00");
  failing = {ContactName(1)};
  RunUntil("2026-04-10 12:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 verlenging~1 03-17 12:00"));
  EXPECT_EQ(facts.invitation.contact(), ContactName(1));
}

TEST_F(PlanMailTest, WhoWasWrittenToBeforeIsAgainWhenTheOthersCannotBe) {
  *wave.mutable_mailing_plan()->add_steps() =
      MakeStep("herinnering-3", survey::v1::MAIL_KIND_REMINDER, survey::v1::MAIL_ANCHOR_CLOSING, -1);
  facts.contacts.resize(2);
  RunUntil("2026-03-27 12:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(2));
  Contact(2).suppressed = true;
  RunUntil("2026-04-10 00:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(1));
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-16 09:00", "GM0363-1 herinnering-2 03-23 09:00",
                          "GM0363-2 uitnodiging 03-26 09:00", "GM0363-1 herinnering-3 03-29 17:00"));
  EXPECT_THAT(facts.invitation.escalated_from(), ElementsAre(ContactName(1), ContactName(2)));
}

TEST_F(PlanMailTest, TheOnlyContactIsWrittenToAgainOnceTheAddressIsLetIn) {
  facts.contacts.resize(1);
  RunUntil("2026-03-10 12:00");
  Contact(1).suppressed = true;
  RunUntil("2026-03-11 12:00");
  EXPECT_EQ(facts.invitation.contact(), "");
  Contact(1).suppressed = false;
  RunUntil("2026-03-24 00:00");
  EXPECT_EQ(facts.invitation.contact(), ContactName(1));
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-16 09:00", "GM0363-1 herinnering-2 03-23 09:00"));
}

TEST_F(PlanMailTest, AReminderThatCameBackGoesOnceTheAddressIsLetIn) {
  facts.contacts.resize(1);
  RunUntil("2026-03-15 12:00");
  dead = {ContactName(1)};
  RunUntil("2026-03-17 00:00");
  EXPECT_EQ(facts.invitation.contact(), "");
  dead.clear();
  Contact(1).suppressed = false;
  RunUntil("2026-03-18 00:00");
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-16 09:00", "GM0363-1 herinnering-1 03-17 00:00"));
}

TEST_F(PlanMailTest, SuppressedAndLostContactsArePassedOver) {
  Contact(1).suppressed = true;
  std::erase_if(facts.contacts, [](const UsableContact& contact) { return contact.name == ContactName(2); });
  RunUntil("2026-03-03 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-3 uitnodiging 03-02 09:00"));
}

TEST_F(PlanMailTest, WhoUnsubscribesGetsNothingMoreAndTheNextIsInvited) {
  RunUntil("2026-03-10 12:00");
  Contact(1).suppressed = true;
  RunUntil("2026-03-11 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-2 uitnodiging 03-10 12:00"));
  // Let in again, the first is not written to again: the second can be reached.
  Contact(1).suppressed = false;
  RunUntil("2026-03-17 00:00");
  EXPECT_EQ(Log().back(), "GM0363-2 herinnering-1 03-16 09:00");
}

TEST_F(PlanMailTest, AnInvitationWithoutContactGoesToTheFirstThereIs) {
  facts.contacts.clear();
  facts.invitation.clear_contact();
  RunUntil("2026-03-05 12:00");
  EXPECT_THAT(messages, IsEmpty());
  AddContact(7);
  RunUntil("2026-03-06 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-7 uitnodiging 03-05 12:00"));
}

TEST_F(PlanMailTest, ContactsOfTwoMunicipalitiesWithOneNumberAreTwo) {
  facts.contacts.push_back({.name = "municipalities/GM0310/contacts/1"});
  dead = {ContactName(1), ContactName(2), ContactName(3)};
  RunUntil("2026-03-03 00:00");
  EXPECT_EQ(Log().back(), "GM0310-1 uitnodiging 03-02 12:00");
}

TEST_F(PlanMailTest, EachExtensionIsTold) {
  RunUntil("2026-03-20 12:00");
  Extend("2026-04-10 17:00");
  RunUntil("2026-03-22 12:00");
  Extend("2026-04-17 17:00");
  RunUntil("2026-03-24 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-16 09:00",
                                 "GM0363-1 verlenging~1 03-20 12:00", "GM0363-1 verlenging~2 03-22 12:00"));
}

TEST_F(PlanMailTest, TwoExtensionsThatWaitAreToldAtOnce) {
  RunUntil("2026-03-20 12:00");
  mailer_works = false;
  Extend("2026-04-10 17:00");
  RunUntil("2026-03-20 14:00");
  Extend("2026-04-17 17:00");
  RunUntil("2026-03-20 16:00");
  mailer_works = true;
  RunUntil("2026-03-22 00:00");
  EXPECT_EQ(Log().back(), "GM0363-1 verlenging~1 03-20 16:00");
}

TEST_F(PlanMailTest, WhoIsInvitedAfterAnExtensionIsNotToldOfIt) {
  now = At("2026-03-20 12:00");
  Extend("2026-04-10 17:00");
  now = At("2026-03-21 12:00");
  *facts.invitation.mutable_issued_at() = calendar::ToProto(now);
  RunUntil("2026-03-23 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-21 12:00"));
}

TEST_F(PlanMailTest, WhoBecomesAContactAfterAnExtensionIsNotToldOfIt) {
  facts.contacts.clear();
  facts.invitation.clear_contact();
  RunUntil("2026-03-20 12:00");
  Extend("2026-04-10 17:00");
  RunUntil("2026-03-21 12:00");
  AddContact(7);
  RunUntil("2026-03-23 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-7 uitnodiging 03-21 12:00"));
  EXPECT_EQ(calendar::FromProto(messages[0].due_at()), At("2026-03-21 12:00"));
}

TEST_F(PlanMailTest, WhoseInvitationWaitedDuringAnExtensionIsNotToldOfIt) {
  mailer_works = false;
  RunUntil("2026-03-20 12:00");
  Extend("2026-04-10 17:00");
  RunUntil("2026-03-20 14:00");
  mailer_works = true;
  RunUntil("2026-03-22 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-20 14:00"));
}

TEST_F(PlanMailTest, ALateExtensionOpensMailAgain) {
  mailer_works = false;
  RunUntil("2026-03-31 00:00");
  EXPECT_EQ(ReasonOf("GM0363.uitnodiging.GM0363-1"), v1::CANCEL_REASON_WAVE_CLOSED);
  mailer_works = true;
  Extend("2026-04-30 17:00");
  RunUntil("2026-04-01 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-31 00:00"));
}

TEST_F(PlanMailTest, RemindersThatWaitedWhenTheWaveClosedComeAfterTheExtensionIsTold) {
  RunUntil("2026-03-16 08:00");
  mailer_works = false;
  RunUntil("2026-03-31 00:00");
  EXPECT_EQ(ReasonOf("GM0363.herinnering-1.GM0363-1"), v1::CANCEL_REASON_WAVE_CLOSED);
  mailer_works = true;
  Extend("2026-04-30 17:00");
  RunUntil("2026-04-04 00:00");
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 verlenging~1 03-31 00:00", "GM0363-1 herinnering-1 04-03 00:00"));
}

TEST_F(PlanMailTest, AnExtensionMovesRemindersThatWait) {
  RunUntil("2026-03-22 12:00");
  mailer_works = false;
  RunUntil("2026-03-24 12:00");
  Extend("2026-04-30 17:00");
  RunUntil("2026-03-24 14:00");
  EXPECT_EQ(ReasonOf("GM0363.herinnering-2.GM0363-1"), v1::CANCEL_REASON_STEP_REMOVED);
  mailer_works = true;
  RunUntil("2026-04-24 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 herinnering-1 03-16 09:00",
                                 "GM0363-1 verlenging~1 03-24 14:00", "GM0363-1 herinnering-2 04-23 09:00"));
}

TEST_F(PlanMailTest, AnExtensionMovesRemindersThatWereNotSent) {
  RunUntil("2026-03-20 12:00");
  Extend("2026-04-10 17:00");
  RunUntil("2026-04-04 00:00");
  EXPECT_EQ(Log().back(), "GM0363-1 herinnering-2 04-03 09:00");
}

TEST_F(PlanMailTest, ARevokedInvitationIsNotMailedUntilItIsBroughtBack) {
  mailer_works = false;
  RunUntil("2026-03-03 00:00");
  facts.invitation.set_state(v1::INVITATION_STATE_REVOKED);
  RunUntil("2026-03-04 00:00");
  EXPECT_EQ(ReasonOf("GM0363.uitnodiging.GM0363-1"), v1::CANCEL_REASON_REVOKED);
  mailer_works = true;
  RunUntil("2026-03-05 00:00");
  EXPECT_THAT(sent, IsEmpty());
  facts.invitation.set_state(v1::INVITATION_STATE_ISSUED);
  RunUntil("2026-03-06 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-05 00:00"));
}

TEST_F(PlanMailTest, AnInvitationThatIsIssuedAnewIsMailedAnew) {
  RunUntil("2026-03-05 12:00");
  facts.invitation.set_state(v1::INVITATION_STATE_REVOKED);
  RunUntil("2026-03-06 12:00");
  Extend("2026-04-10 17:00");
  RunUntil("2026-03-07 12:00");
  facts.invitation.set_state(v1::INVITATION_STATE_ISSUED);
  *facts.invitation.mutable_issued_at() = calendar::ToProto(now);
  RunUntil("2026-03-17 00:00");
  EXPECT_THAT(Log(),
              ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "GM0363-1 uitnodiging 03-07 12:00", "GM0363-1 herinnering-1 03-16 09:00"));
  EXPECT_NE(Find("surveys/s/waves/2026/messages/GM0363.uitnodiging.GM0363-1~2"), nullptr);
}

TEST_F(PlanMailTest, WhoTakesOverGetsTheLinkAndWhatComesAfter) {
  RunUntil("2026-03-16 08:00");
  mailer_works = false;
  RunUntil("2026-03-16 10:00");
  HandOver("abc");
  mailer_works = true;
  RunUntil("2026-03-24 00:00");
  EXPECT_EQ(ReasonOf("GM0363.herinnering-1.GM0363-1"), v1::CANCEL_REASON_REVOKED);
  Submit();
  RunUntil("2026-03-25 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "abc colleague 03-16 10:00", "abc herinnering-1 03-19 10:00",
                                 "abc herinnering-2 03-23 09:00", "abc dank 03-24 00:00"));
}

TEST_F(PlanMailTest, WhoTookOverAndCannotBeReachedIsWrittenToOnceTheAddressIsLetIn) {
  RunUntil("2026-03-16 08:00");
  HandOver("h2");
  RunUntil("2026-03-16 08:30");
  ASSERT_EQ(Log().back(), "h2 colleague 03-16 08:00");
  messages.back().set_state(v1::MESSAGE_STATE_BOUNCED);
  facts.holders[0].suppressed = true;
  RunUntil("2026-03-18 00:00");
  EXPECT_EQ(sent.size(), 2u);
  facts.holders[0].suppressed = false;
  RunUntil("2026-03-18 02:00");
  EXPECT_EQ(Log().back(), "h2 colleague 03-18 00:00");
}

TEST_F(PlanMailTest, ColleaguesGetTheirLinkAtOnceAndNothingElse) {
  RunUntil("2026-03-05 12:00");
  facts.holders.push_back({.id = "1", .mail_id = "xyz", .since = now});
  facts.holders.push_back({.id = "2", .mail_id = "uvw", .since = now, .suppressed = true});
  RunUntil("2026-03-17 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00", "xyz colleague 03-05 12:00", "GM0363-1 herinnering-1 03-16 09:00"));
  // With a new link there is new mail; the old one's, had it waited, would not go.
  facts.holders[0].mail_id = "rst";
  RunUntil("2026-03-18 00:00");
  EXPECT_EQ(Log().back(), "rst colleague 03-17 00:00");
}

TEST_F(PlanMailTest, AColleagueWhoseLinkEndedGetsNoMail) {
  mailer_works = false;
  facts.holders.push_back({.id = "1", .mail_id = "xyz", .since = now});
  Plan();
  facts.holders.clear();
  Plan();
  EXPECT_EQ(ReasonOf("GM0363.colleague.xyz"), v1::CANCEL_REASON_REVOKED);
}

TEST_F(PlanMailTest, AfterTheEndOnlyColleaguesWithinGraceAreWrittenTo) {
  wave.mutable_grace_period()->set_seconds(7200);
  facts.contacts.resize(1);
  now = At("2026-03-30 17:00");
  facts.holders.push_back({.id = "1", .mail_id = "xyz", .since = now});
  RunUntil("2026-03-30 19:00");
  facts.holders.push_back({.id = "2", .mail_id = "uvw", .since = now});
  RunUntil("2026-03-31 00:00");
  EXPECT_THAT(Log(), ElementsAre("xyz colleague 03-30 17:00"));
}

TEST_F(PlanMailTest, NothingIsMailedOncePersonalDataAreErased) {
  RunUntil("2026-03-10 12:00");
  *wave.mutable_personal_data_erased_at() = calendar::ToProto(now);
  facts.holders.push_back({.id = "1", .mail_id = "xyz", .since = now});
  Submit();
  mailer_works = false;
  Plan();
  mailer_works = true;
  RunUntil("2026-04-10 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-02 09:00"));
}

TEST_F(PlanMailTest, AStepThatIsTakenOutOfThePlanIsNotSent) {
  mailer_works = false;
  RunUntil("2026-03-03 00:00");
  wave.mutable_mailing_plan()->mutable_steps()->DeleteSubrange(0, 1);
  Plan();
  EXPECT_EQ(ReasonOf("GM0363.uitnodiging.GM0363-1"), v1::CANCEL_REASON_STEP_REMOVED);
}

TEST_F(PlanMailTest, AStepThatIsMovedIsSentThen) {
  mailer_works = false;
  RunUntil("2026-03-03 00:00");
  *wave.mutable_opens_at() = calendar::ToProto(At("2026-03-05 09:00"));
  RunUntil("2026-03-03 02:00");
  EXPECT_EQ(ReasonOf("GM0363.uitnodiging.GM0363-1"), v1::CANCEL_REASON_STEP_REMOVED);
  mailer_works = true;
  RunUntil("2026-03-06 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 uitnodiging 03-05 09:00"));
}

TEST_F(PlanMailTest, AReplicaWhoseClockIsBehindCancelsNothing) {
  now = At("2026-03-02 09:00");
  Plan();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(WhyNot(now - absl::Milliseconds(50), wave, facts, messages[0]), std::nullopt);
}

TEST_F(PlanMailTest, AnAnnouncementAndAnInvitationBothGo) {
  *wave.mutable_mailing_plan()->add_steps() =
      MakeStep("aankondiging", survey::v1::MAIL_KIND_INVITATION, survey::v1::MAIL_ANCHOR_OPENING, -3, "10:00");
  RunUntil("2026-03-03 00:00");
  EXPECT_THAT(Log(), ElementsAre("GM0363-1 aankondiging 02-27 10:00", "GM0363-1 uitnodiging 03-02 09:00"));
}

TEST_F(PlanMailTest, WithoutAPlanOrTimesNothingIsMailed) {
  MailWorld bare;
  bare.wave.clear_mailing_plan();
  bare.RunUntil("2026-03-20 00:00", absl::Hours(24));
  EXPECT_THAT(bare.messages, IsEmpty());
  wave.clear_opens_at();
  wave.clear_closes_at();
  RunUntil("2026-03-20 00:00", absl::Hours(24));
  EXPECT_THAT(messages, IsEmpty());
}

}  // namespace
}  // namespace peiling::fieldwork
