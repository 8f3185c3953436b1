#include <functional>
#include <thread>

#include "gmock/gmock.h"
#include "services/fieldwork/mail/message_life.h"
#include "tests/common/storage/forwarding_store.h"
#include "tests/fieldwork/outbox_stores.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class OutboxTest : public OutboxOnEveryStore {
 protected:
  static std::vector<std::string> IdsOf(const v1::LeaseMailResponse& lease) {
    std::vector<std::string> ids;
    for (const v1::LeasedMessage& message : lease.messages()) ids.push_back(message.message().substr(std::string(NameOf("")).size()));
    return ids;
  }
  void Pass(absl::Duration time) { now_ = now_.load() + time; }
  void Sweep() {
    const absl::Status swept = outbox_->SweepAll();
    EXPECT_TRUE(swept.ok()) << swept;
  }
};

TEST_P(OutboxTest, AMessageIsLeasedBegunAndSent) {
  Add({"GM0363.u.1"});
  EXPECT_EQ(StateOf("GM0363.u.1"), "DUE");
  const auto lease = Lease();
  ASSERT_THAT(IdsOf(lease), ElementsAre("GM0363.u.1"));
  EXPECT_EQ(lease.messages(0).content().to_address(), "GM0363.u.1@example.nl");
  EXPECT_EQ(lease.messages(0).step(), "uitnodiging");
  EXPECT_EQ(StateOf("GM0363.u.1"), "LEASED");
  EXPECT_EQ(Begin(lease.lease_id(), "GM0363.u.1").result(), v1::MAIL_RESULT_OK);
  EXPECT_EQ(StateOf("GM0363.u.1"), "BEGUN");
  EXPECT_EQ(Complete(lease.lease_id(), Sent("GM0363.u.1")), v1::MAIL_RESULT_OK);
  const v1::Message message = Get("GM0363.u.1");
  EXPECT_EQ(message.state(), v1::MESSAGE_STATE_SENT);
  EXPECT_EQ(message.provider_message_id(), "P1");
  EXPECT_EQ(message.attempts(), 1);
  EXPECT_EQ(calendar::FromProto(message.sent_at()), now_.load());
  EXPECT_FALSE(message.has_lease_expires_at());
  ASSERT_EQ(message.events_size(), 1);
  EXPECT_EQ(message.events(0).smtp_code(), 250);
  Pass(absl::Hours(24));
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
}

TEST_P(OutboxTest, WhatThereIsIsNotMadeAgain) {
  Add({"a.u.1", "b.u.1"});
  Complete(Lease(1).lease_id(), Sent("a.u.1"));
  const auto added = outbox_->Add(kWave, {Planned("a.u.1", now_), Planned("b.u.1", now_), Planned("c.u.1", now_), Planned("c.u.1", now_)});
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(*added, 1u);
  EXPECT_EQ(Counts(), "DUE 2, SENT 1");
}

TEST_P(OutboxTest, NothingIsLeasedBeforeItIsDue) {
  ASSERT_TRUE(outbox_->Add(kWave, {Planned("late.u.1", now_.load() + absl::Hours(1)), Planned("now.u.1", now_)}).ok());
  const auto lease = Lease();
  EXPECT_THAT(IdsOf(lease), ElementsAre("now.u.1"));
  Complete(lease.lease_id(), Sent("now.u.1"));
  Pass(absl::Hours(1) - absl::Microseconds(1));
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
  Pass(absl::Microseconds(1));
  EXPECT_THAT(IdsOf(Lease()), ElementsAre("late.u.1"));
}

TEST_P(OutboxTest, TheOldestGoesFirst) {
  ASSERT_TRUE(outbox_->Add(kWave, {Planned("a.u.1", now_), Planned("b.u.1", now_.load() - absl::Hours(1))}).ok());
  EXPECT_THAT(IdsOf(Lease(1)), ElementsAre("b.u.1"));
  EXPECT_THAT(IdsOf(Lease(1)), ElementsAre("a.u.1"));
}

// The front of the queue is remembered, which must not hide what comes there later.
TEST_P(OutboxTest, WhatBecomesDueEarlierThanWhatIsLeasedAlreadyIsFound) {
  Add({"b.u.1", "c.u.1"});
  EXPECT_THAT(IdsOf(Lease(1)), ElementsAre("b.u.1"));
  ASSERT_TRUE(outbox_->Add(kWave, {Planned("a.u.1", now_.load() - absl::Hours(1))}).ok());
  EXPECT_THAT(IdsOf(Lease(1)), ElementsAre("a.u.1"));
}

TEST_P(OutboxTest, WhatAnotherReplicaPutsInFrontIsFoundInAWhile) {
  Add({"b.u.1", "c.u.1"});
  EXPECT_THAT(IdsOf(Lease(1)), ElementsAre("b.u.1"));
  ASSERT_TRUE(NewOutbox()->Add(kWave, {Planned("a.u.1", now_.load() - absl::Hours(1))}).ok());
  EXPECT_THAT(IdsOf(Lease(1)), ElementsAre("c.u.1"));
  Pass(absl::Seconds(10));
  EXPECT_THAT(IdsOf(Lease(1)), ElementsAre("a.u.1"));
}

TEST_P(OutboxTest, TheSameRequestGivesTheSameMessagesWhileTheyAreLeased) {
  Add({"a.u.1", "b.u.1", "c.u.1"});
  const auto first = Lease(2, "R");
  EXPECT_THAT(IdsOf(first), ElementsAre("a.u.1", "b.u.1"));
  const auto again = Lease(2, "R");
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  Begin(first.lease_id(), "a.u.1");
  EXPECT_THAT(IdsOf(Lease(2, "R")), ElementsAre("b.u.1"));
  EXPECT_EQ(Get("b.u.1").attempts(), 1);
  Pass(absl::Minutes(5));
  // The lease is over: this is a new one.
  const auto later = Lease(2, "R");
  EXPECT_THAT(IdsOf(later), ElementsAre("b.u.1", "c.u.1"));
  EXPECT_NE(later.lease_id(), first.lease_id());
}

TEST_P(OutboxTest, TwoCallersMayUseOneRequestId) {
  Add({"a.u.1", "b.u.1"});
  v1::LeaseMailRequest request;
  request.set_parent(kWave);
  request.set_max_messages(1);
  request.set_request_id("R");
  const auto one = outbox_->Lease(request, "one");
  const auto other = outbox_->Lease(request, "other");
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_THAT(IdsOf(*one), ElementsAre("a.u.1"));
  EXPECT_THAT(IdsOf(*other), ElementsAre("b.u.1"));
}

TEST_P(OutboxTest, WhatIsNotBegunIsDueAgainWhenItsLeaseEnds) {
  Add({"a.u.1"});
  const auto lease = Lease();
  Pass(absl::Minutes(5));
  Sweep();
  EXPECT_EQ(StateOf("a.u.1"), "DUE");
  EXPECT_EQ(Begin(lease.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_LEASE_LOST);
  EXPECT_THAT(IdsOf(Lease()), ElementsAre("a.u.1"));
  EXPECT_EQ(Begin(lease.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_LEASE_LOST);
}

TEST_P(OutboxTest, ALeaseThatIsOverBeginsNothingAlsoBeforeAnybodyNotices) {
  Add({"a.u.1"});
  const auto lease = Lease();
  Pass(absl::Minutes(5));
  EXPECT_EQ(Begin(lease.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_LEASE_LOST);
}

TEST_P(OutboxTest, WhatWasBegunIsUncertainWhenItsLeaseEndsAndDueAgainWhenNobodyReports) {
  Add({"a.u.1"});
  const auto lease = Lease();
  Begin(lease.lease_id(), "a.u.1");
  EXPECT_EQ(Begin(lease.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_OK) << "a repeat is not known from the first";
  Pass(absl::Minutes(5));
  Sweep();
  EXPECT_EQ(StateOf("a.u.1"), "UNCERTAIN");
  EXPECT_EQ(Begin(lease.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_LEASE_LOST);
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
  Pass(absl::Minutes(15) - absl::Seconds(1));
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_THAT(IdsOf(Lease()), ElementsAre("a.u.1"));
}

TEST_P(OutboxTest, WhatNothingIsHeardOfForTheSecondTimeCountsAsSent) {
  Add({"a.u.1"});
  // Nor does it matter that one lease ran out before it was begun.
  Lease();
  Pass(absl::Minutes(5));
  std::vector<std::string> leases;
  for (int i = 0; i < 2; ++i) {
    const auto lease = Lease();
    ASSERT_THAT(IdsOf(lease), ElementsAre("a.u.1")) << i;
    leases.push_back(lease.lease_id());
    Begin(lease.lease_id(), "a.u.1");
    Pass(absl::Minutes(20));
    Sweep();
  }
  EXPECT_EQ(StateOf("a.u.1"), "SENT");
  Pass(absl::Hours(24));
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
  const v1::Message message = Get("a.u.1");
  ASSERT_EQ(message.events_size(), 2);
  EXPECT_EQ(message.events(0).kind(), v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE);
  EXPECT_EQ(message.events(1).kind(), v1::DELIVERY_EVENT_KIND_ACCEPTED);
  EXPECT_THAT(message.events(1).diagnostic(), testing::HasSubstr("unconfirmed"));
  // Whoever sent it may say so still, or that it came back.
  for (const std::string& lease : leases) EXPECT_EQ(Complete(lease, Sent("a.u.1")), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Complete("another", Sent("a.u.1")), v1::MAIL_RESULT_LEASE_LOST);
  Report(Event("a.u.1", v1::DELIVERY_EVENT_KIND_HARD_BOUNCE));
  EXPECT_EQ(StateOf("a.u.1"), "BOUNCED");
}

TEST_P(OutboxTest, NothingIsSettledBeforeItCouldBeReported) {
  Add({"a.u.1"});
  Begin(Lease().lease_id(), "a.u.1");
  Pass(absl::Minutes(5));
  Sweep();
  // The service is away for an hour.
  Pass(absl::Hours(1));
  outbox_ = NewOutbox();
  Sweep();
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
  EXPECT_EQ(StateOf("a.u.1"), "UNCERTAIN");
  Pass(absl::Minutes(14));
  // So is the store.
  class AwayStore : public storage::ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    absl::StatusOr<std::vector<std::string>> Partitions(const std::string& prefix) override {
      if (away) return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "no answer");
      return ForwardingStore::Partitions(prefix);
    }
    bool away = true;
  } store(*store_);
  outbox_ = NewOutbox(store);
  EXPECT_FALSE(outbox_->SweepAll().ok());
  Pass(absl::Minutes(30));
  EXPECT_FALSE(outbox_->SweepAll().ok());
  store.away = false;
  Pass(absl::Minutes(15) - absl::Seconds(1));
  Sweep();
  EXPECT_EQ(StateOf("a.u.1"), "UNCERTAIN");
  Pass(absl::Seconds(1));
  Sweep();
  EXPECT_EQ(StateOf("a.u.1"), "DUE");
  outbox_ = nullptr;
}

TEST_P(OutboxTest, WhatWasNotTriedIsDueAtOnceAndDoesNotCount) {
  Add({"a.u.1"});
  for (int i = 0; i < 2 * kMaxMailRetries; ++i) {
    const auto lease = Lease();
    ASSERT_THAT(IdsOf(lease), ElementsAre("a.u.1")) << i;
    Begin(lease.lease_id(), "a.u.1");
    v1::MailOutcome outcome = Refused("a.u.1", false, 535, "5.7.8");
    outcome.set_not_tried(true);
    EXPECT_EQ(Complete(lease.lease_id(), outcome), v1::MAIL_RESULT_OK);
    EXPECT_EQ(Complete(lease.lease_id(), outcome), v1::MAIL_RESULT_REPEATED);
    EXPECT_EQ(StateOf("a.u.1"), "DUE");
    EXPECT_EQ(Get("a.u.1").attempts(), 0);
  }
  EXPECT_THAT(policy_.suppressed, IsEmpty());
  const auto lease = Lease();
  for (const bool sent : {true, false}) {
    v1::MailOutcome outcome = sent ? Sent("a.u.1") : Refused("a.u.1", true);
    outcome.set_not_tried(true);
    EXPECT_EQ(Complete(lease.lease_id(), outcome), v1::MAIL_RESULT_INVALID);
  }
  EXPECT_EQ(StateOf("a.u.1"), "LEASED");
}

TEST_P(OutboxTest, WhoHasAnotherAddressSinceIsWrittenToThere) {
  Add({"a.u.1", "b.u.1"});
  const auto lease = Lease();
  policy_.moved[NameOf("a.u.1")] = "token of a new address";
  EXPECT_EQ(Begin(lease.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_LEASE_LOST);
  EXPECT_EQ(StateOf("a.u.1"), "DUE");
  EXPECT_EQ(Begin(lease.lease_id(), "b.u.1").result(), v1::MAIL_RESULT_OK);
  const auto next = Lease();
  ASSERT_THAT(IdsOf(next), ElementsAre("a.u.1"));
  EXPECT_EQ(Begin(next.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_OK);
  // Once it has begun it went where it was leased for.
  policy_.moved.clear();
  EXPECT_EQ(Begin(next.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_OK);
  Report(Event("a.u.1", v1::DELIVERY_EVENT_KIND_HARD_BOUNCE));
  EXPECT_THAT(policy_.suppressed, ElementsAre(Pair("token of a new address", v1::SUPPRESSION_REASON_HARD_BOUNCE)));
}

TEST_P(OutboxTest, WhoHasAnotherLinkSinceIsWrittenToWithThat) {
  Add({"a.u.1", "b.u.1"});
  const auto lease = Lease();
  policy_.reissued = {NameOf("a.u.1")};
  EXPECT_EQ(Begin(lease.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_LEASE_LOST);
  EXPECT_EQ(StateOf("a.u.1"), "DUE");
  EXPECT_EQ(Begin(lease.lease_id(), "b.u.1").result(), v1::MAIL_RESULT_OK);
  const auto next = Lease();
  ASSERT_THAT(IdsOf(next), ElementsAre("a.u.1"));
  EXPECT_EQ(Begin(next.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_OK);
}

TEST_P(OutboxTest, AResultAfterTheLeaseIsTakenAsLongAsNobodyElseHasTheMessage) {
  Add({"sent.u.1", "soft.u.1", "hard.u.1"});
  const auto lease = Lease();
  for (const char* id : {"sent.u.1", "soft.u.1", "hard.u.1"}) Begin(lease.lease_id(), id);
  Pass(absl::Minutes(6));
  Sweep();
  EXPECT_EQ(Complete(lease.lease_id(), Sent("sent.u.1")), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Complete(lease.lease_id(), Refused("soft.u.1", false)), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Complete(lease.lease_id(), Refused("hard.u.1", true, 554)), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Counts(), "DUE 1, SENT 1, FAILED 1");
}

TEST_P(OutboxTest, ThatItWasSentCountsWhoeverHasTheMessageByThen) {
  Add({"due.u.1", "other.u.1"});
  const auto lease = Lease();
  for (const char* id : {"due.u.1", "other.u.1"}) Begin(lease.lease_id(), id);
  Pass(absl::Minutes(20));
  Sweep();
  EXPECT_EQ(Counts(), "DUE 2");
  EXPECT_EQ(Complete(lease.lease_id(), Refused("due.u.1", false)), v1::MAIL_RESULT_LEASE_LOST);
  EXPECT_EQ(Complete(lease.lease_id(), Sent("due.u.1")), v1::MAIL_RESULT_OK);
  const auto next = Lease();
  EXPECT_THAT(IdsOf(next), ElementsAre("other.u.1")) << "what was sent is not in the queue";
  EXPECT_EQ(Complete(lease.lease_id(), Sent("other.u.1")), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Complete(lease.lease_id(), Sent("other.u.1")), v1::MAIL_RESULT_REPEATED);
  EXPECT_EQ(Begin(next.lease_id(), "other.u.1").result(), v1::MAIL_RESULT_LEASE_LOST);
  EXPECT_EQ(Counts(), "SENT 2");
}

TEST_P(OutboxTest, ARepeatedResultIsKnown) {
  Add({"sent.u.1", "soft.u.1"});
  const auto lease = Lease();
  Complete(lease.lease_id(), Sent("sent.u.1"));
  Complete(lease.lease_id(), Refused("soft.u.1", false));
  EXPECT_EQ(Complete(lease.lease_id(), Sent("sent.u.1")), v1::MAIL_RESULT_REPEATED);
  EXPECT_EQ(Complete(lease.lease_id(), Refused("soft.u.1", false)), v1::MAIL_RESULT_REPEATED);
  EXPECT_EQ(Get("sent.u.1").events_size(), 1);
  EXPECT_EQ(Get("soft.u.1").events_size(), 1);
}

TEST_P(OutboxTest, ARefusalForNowIsTriedAgainFiveTimesEverLater) {
  Add({"a.u.1"});
  for (int failures = 1; failures <= kMaxMailRetries; ++failures) {
    const auto lease = Lease();
    ASSERT_THAT(IdsOf(lease), ElementsAre("a.u.1")) << failures;
    Begin(lease.lease_id(), "a.u.1");
    Complete(lease.lease_id(), Refused("a.u.1", false, 451, "4.7.1"));
    EXPECT_EQ(StateOf("a.u.1"), "DUE");
    EXPECT_GT(MailRetryDelay(failures), failures == 1 ? absl::ZeroDuration() : MailRetryDelay(failures - 1));
    Pass(MailRetryDelay(failures) - absl::Seconds(1));
    EXPECT_THAT(IdsOf(Lease()), IsEmpty()) << failures;
    Pass(absl::Seconds(1));
  }
  Complete(Lease().lease_id(), Refused("a.u.1", false, 451, "4.7.1"));
  EXPECT_EQ(StateOf("a.u.1"), "FAILED");
  EXPECT_EQ(Get("a.u.1").events(0).enhanced_code(), "4.7.1");
  EXPECT_THAT(policy_.suppressed, IsEmpty());
}

TEST_P(OutboxTest, ARefusalForGoodComesBackOnlyWhenItIsTheAddress) {
  const struct {
    int smtp_code;
    const char* enhanced_code;
    bool came_back;
  } kCases[] = {{550, "5.1.1", true},  {550, "5.1.10", true}, {550, "5.2.1", true},  {0, "", false},   {550, "", true},
                {551, "", true},       {553, "", true},       {550, "5.7.1", false}, {554, "", false}, {550, "5.1.8", false},
                {535, "5.7.8", false}, {552, "5.2.3", false}, {550, "5.2.2", false}, {530, "", false}, {550, "5.1.7", false}};
  for (const auto& test : kCases) {
    SCOPED_TRACE(absl::StrCat(test.smtp_code, " ", test.enhanced_code));
    const std::string id = absl::StrCat("a.u.", test.smtp_code, test.enhanced_code);
    Add({id});
    const auto lease = Lease();
    Begin(lease.lease_id(), id);
    policy_.suppressed.clear();
    EXPECT_EQ(Complete(lease.lease_id(), Refused(id, true, test.smtp_code, test.enhanced_code)), v1::MAIL_RESULT_OK);
    EXPECT_EQ(StateOf(id), test.came_back ? "BOUNCED" : "FAILED");
    EXPECT_EQ(CameBack(Get(id)), test.came_back);
    EXPECT_FALSE(Get(id).has_sent_at());
    EXPECT_EQ(policy_.suppressed.size(), test.came_back ? 1u : 0u);
  }
}

TEST_P(OutboxTest, WhatMayNotGoIsCancelledWhenItIsLeased) {
  Add({"a.u.1", "b.u.1"});
  policy_.at_lease_reasons[NameOf("a.u.1")] = v1::CANCEL_REASON_SUPPRESSED;
  // One that may go is looked for until there is none.
  EXPECT_THAT(IdsOf(Lease(1)), ElementsAre("b.u.1"));
  EXPECT_EQ(Get("a.u.1").cancel_reason(), v1::CANCEL_REASON_SUPPRESSED);
  EXPECT_EQ(Counts(), "LEASED 1, CANCELLED 1");
}

TEST_P(OutboxTest, WhoHasSubmittedSinceGetsNothing) {
  Add({"a.u.1", "b.u.1"});
  const auto lease = Lease();
  policy_.at_beginning_reasons[NameOf("a.u.1")] = v1::CANCEL_REASON_SUBMITTED;
  for (int repeat = 0; repeat < 2; ++repeat) {
    const v1::MailItemResult result = Begin(lease.lease_id(), "a.u.1");
    EXPECT_EQ(result.result(), v1::MAIL_RESULT_CANCELLED);
    EXPECT_EQ(result.cancel_reason(), v1::CANCEL_REASON_SUBMITTED);
  }
  EXPECT_EQ(Begin(lease.lease_id(), "b.u.1").result(), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Complete(lease.lease_id(), Refused("a.u.1", false)), v1::MAIL_RESULT_CANCELLED);
  Pass(absl::Hours(1));
  EXPECT_EQ(Counts(), "BEGUN 1, CANCELLED 1");
}

TEST_P(OutboxTest, NothingBeginsWhileIntakeCannotTell) {
  Add({"a.u.1"});
  const auto lease = Lease();
  policy_.intake = status::Error(absl::StatusCode::kUnavailable, "INTAKE_UNAVAILABLE", "no answer");
  v1::BeginMailRequest request;
  request.set_parent(kWave);
  request.set_lease_id(lease.lease_id());
  request.add_messages(NameOf("a.u.1"));
  EXPECT_EQ(outbox_->Begin(request).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(StateOf("a.u.1"), "LEASED");
  policy_.intake = absl::OkStatus();
  EXPECT_EQ(Begin(lease.lease_id(), "a.u.1").result(), v1::MAIL_RESULT_OK);
}

TEST_P(OutboxTest, WhatIsCancelledByThePlanIsNotBegunAndWhatMayHaveGoneStays) {
  Add({"begun.u.1", "leased.u.1"});
  const auto lease = Lease();
  Begin(lease.lease_id(), "begun.u.1");
  Add({"due.u.1"});
  ASSERT_TRUE(
      outbox_
          ->Cancel(kWave, {NameOf("begun.u.1"), NameOf("leased.u.1"), NameOf("due.u.1"), NameOf("none.u.1")}, v1::CANCEL_REASON_WAVE_CLOSED)
          .ok());
  EXPECT_EQ(Counts(), "BEGUN 1, CANCELLED 2");
  const v1::MailItemResult result = Begin(lease.lease_id(), "leased.u.1");
  EXPECT_EQ(result.result(), v1::MAIL_RESULT_CANCELLED);
  EXPECT_EQ(result.cancel_reason(), v1::CANCEL_REASON_WAVE_CLOSED);
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
  Pass(absl::Minutes(5));
  Sweep();
  EXPECT_EQ(Counts(), "UNCERTAIN 1, CANCELLED 2");
}

TEST_P(OutboxTest, AMailThatCannotBeMadeWaitsAndKeepsNobodyElseWaiting) {
  Add({"a.u.1", "b.u.1"});
  policy_.unwritable[NameOf("a.u.1")] = status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", "cannot be read");
  EXPECT_THAT(IdsOf(Lease()), ElementsAre("b.u.1"));
  policy_.unwritable.clear();
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
  Pass(MailRetryDelay(1));
  EXPECT_THAT(IdsOf(Lease()), ElementsAre("a.u.1"));
}

TEST_P(OutboxTest, NothingIsLeasedWhileNoMailCanBeMade) {
  Add({"a.u.1", "b.u.1"});
  policy_.unwritable[NameOf("b.u.1")] = status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "no answer");
  v1::LeaseMailRequest request;
  request.set_parent(kWave);
  request.set_request_id("R");
  EXPECT_EQ(outbox_->Lease(request, "mailer").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Counts(), "DUE 2");
}

TEST_P(OutboxTest, AnAnswerIsBoundedInBytes) {
  policy_.text_bytes = Outbox::kMaxLeaseBytes / 2 - 1000;
  Add({"a.u.1", "b.u.1", "c.u.1"});
  EXPECT_THAT(IdsOf(Lease()), ElementsAre("a.u.1", "b.u.1"));
  policy_.text_bytes = Outbox::kMaxLeaseBytes * 2;
  EXPECT_THAT(IdsOf(Lease()), ElementsAre("c.u.1")) << "one goes, however large";
}

TEST_P(OutboxTest, OtherNamesAreNotFound) {
  Add({"a.u.1"});
  const auto lease = Lease();
  v1::BeginMailRequest request;
  request.set_parent(kWave);
  request.set_lease_id(lease.lease_id());
  request.add_messages(NameOf("none.u.1"));
  request.add_messages("surveys/vn/waves/2022/messages/a.u.1");
  request.add_messages(NameOf("a.u.1"));
  const auto response = outbox_->Begin(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->results(0).result(), v1::MAIL_RESULT_NOT_FOUND);
  EXPECT_EQ(response->results(1).result(), v1::MAIL_RESULT_NOT_FOUND);
  EXPECT_EQ(response->results(2).result(), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Complete(lease.lease_id(), Sent("none.u.1")), v1::MAIL_RESULT_NOT_FOUND);
  EXPECT_EQ(Report(Event("none.u.1", v1::DELIVERY_EVENT_KIND_ACCEPTED)), v1::MAIL_RESULT_NOT_FOUND);
  EXPECT_EQ(status::Reason(outbox_->Get(NameOf("none.u.1")).status()), "MESSAGE_NOT_FOUND");
}

TEST_P(OutboxTest, ListsWhatIsAskedFor) {
  Add({"GM0001.u.1", "GM0002.u.1", "GM0002.u.2", "GM0003.u.1"});
  Complete(Lease(2).lease_id(), Sent("GM0002.u.1"));
  const auto list = [this](v1::ListMessagesRequest request) {
    request.set_parent(kWave);
    std::vector<std::string> names;
    for (paging::Page page{.size = 1};;) {
      const auto response = outbox_->List(request, page);
      EXPECT_TRUE(response.ok()) << response.status();
      for (const v1::Message& message : response->messages()) names.push_back(message.name());
      if (response->next_page_token().empty()) return names;
      request.set_page_size(1);
      request.set_page_token(response->next_page_token());
      status::BadRequest bad;
      page = paging::ReadPage(request, bad);
      EXPECT_TRUE(bad.empty());
    }
  };
  v1::ListMessagesRequest request;
  request.set_page_size(1);
  EXPECT_THAT(list(request), ElementsAre(NameOf("GM0001.u.1"), NameOf("GM0002.u.1"), NameOf("GM0002.u.2"), NameOf("GM0003.u.1")));
  request.set_state(v1::MESSAGE_STATE_DUE);
  EXPECT_THAT(list(request), ElementsAre(NameOf("GM0002.u.2"), NameOf("GM0003.u.1")));
  request.clear_state();
  request.set_invitation(absl::StrCat(kWave, "/invitations/GM0002"));
  EXPECT_THAT(list(request), ElementsAre(NameOf("GM0002.u.1"), NameOf("GM0002.u.2")));
  request.set_step("herinnering");
  EXPECT_THAT(list(request), IsEmpty());
}

TEST_P(OutboxTest, APageReadsNoMoreThanItShows) {
  std::vector<v1::Message> messages;
  messages.reserve(500);
  for (int i = 0; i < 500; ++i) messages.push_back(Planned(absl::StrCat("m", i, ".u.1"), now_));
  ASSERT_TRUE(outbox_->Add(kWave, messages).ok());
  class CountingStore : public storage::ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    absl::StatusOr<std::vector<storage::Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                        size_t limit) override {
      auto documents = ForwardingStore::List(partition, prefix, after, limit);
      if (documents.ok()) read += documents->size();
      return documents;
    }
    size_t read = 0;
  } store(*store_);
  const auto outbox = NewOutbox(store);
  v1::ListMessagesRequest request;
  request.set_parent(kWave);
  EXPECT_EQ(outbox->List(request, {.size = 10})->messages_size(), 10);
  EXPECT_EQ(store.read, 11u);
  // What there is none of is not looked for.
  store.read = 0;
  request.set_state(v1::MESSAGE_STATE_FAILED);
  EXPECT_EQ(outbox->List(request, {.size = 10})->messages_size(), 0);
  request.clear_state();
  request.set_step("herinnering");
  EXPECT_EQ(outbox->List(request, {.size = 10})->messages_size(), 0);
  EXPECT_EQ(store.read, 0u);
  request.set_step("uitnodiging");
  request.set_state(v1::MESSAGE_STATE_DUE);
  EXPECT_EQ(outbox->List(request, {.size = 10})->messages_size(), 10);
}

TEST_P(OutboxTest, EveryChangeMovesTheVersion) {
  uint64_t last = *outbox_->Version(kWave);
  const auto moves = [&](const char* what) {
    const uint64_t version = *NewOutbox()->Version(kWave);
    EXPECT_GT(version, last) << what;
    last = version;
  };
  Add({"a.u.1"});
  moves("added");
  const auto lease = Lease();
  moves("leased");
  Begin(lease.lease_id(), "a.u.1");
  moves("begun");
  Complete(lease.lease_id(), Sent("a.u.1"));
  moves("completed");
  Report(Event("a.u.1", v1::DELIVERY_EVENT_KIND_DELIVERED));
  moves("reported");
  EXPECT_THAT(IdsOf(Lease()), IsEmpty());
  EXPECT_EQ(*outbox_->Version(kWave), last);
}

TEST_P(OutboxTest, MailersOfAWaveDoNotStarveEachOtherAndNoMessageGoesToTwo) {
  constexpr int kMailers = 6, kMessages = 600;
  std::vector<v1::Message> messages;
  messages.reserve(kMessages);
  for (int i = 0; i < kMessages; ++i) messages.push_back(Planned(absl::StrCat("m", i, ".u.1"), now_));
  ASSERT_TRUE(outbox_->Add(kWave, messages).ok());
  // Two replicas.
  const std::unique_ptr<Outbox> other = NewOutbox();
  std::mutex mutex;
  std::multiset<std::string> got;
  std::vector<std::thread> mailers;
  mailers.reserve(kMailers);
  for (int m = 0; m < kMailers; ++m) {
    mailers.emplace_back([&, m] {
      Outbox& outbox = m % 2 == 0 ? *outbox_ : *other;
      for (int round = 0;; ++round) {
        v1::LeaseMailRequest request;
        request.set_parent(kWave);
        request.set_max_messages(10);
        request.set_request_id(absl::StrCat(m, "/", round));
        const auto lease = outbox.Lease(request, "mailer");
        ASSERT_TRUE(lease.ok()) << lease.status();
        if (lease->messages().empty()) return;
        v1::CompleteMailRequest complete;
        complete.set_parent(kWave);
        complete.set_lease_id(lease->lease_id());
        for (const v1::LeasedMessage& message : lease->messages()) {
          v1::MailOutcome& outcome = *complete.add_outcomes();
          outcome.set_message(message.message());
          outcome.set_sent(true);
          const std::lock_guard lock(mutex);
          got.insert(message.message());
        }
        const auto completed = outbox.Complete(complete);
        ASSERT_TRUE(completed.ok()) << completed.status();
      }
    });
  }
  for (std::thread& mailer : mailers) mailer.join();
  EXPECT_EQ(got.size(), kMessages);
  EXPECT_EQ(std::set<std::string>(got.begin(), got.end()).size(), kMessages);
  EXPECT_EQ(Counts(), absl::StrCat("SENT ", kMessages));
}

INSTANTIATE_TEST_SUITE_P(Stores, OutboxTest, EveryStore(), NameOfStore);

}  // namespace
}  // namespace peiling::fieldwork
