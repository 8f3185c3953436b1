#include <algorithm>
#include <array>
#include <functional>

#include "absl/strings/ascii.h"
#include "gmock/gmock.h"
#include "services/fieldwork/mail/delivery_event.h"
#include "services/fieldwork/mail/message_life.h"
#include "tests/fieldwork/outbox_stores.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr auto kAccepted = v1::DELIVERY_EVENT_KIND_ACCEPTED;
constexpr auto kDelivered = v1::DELIVERY_EVENT_KIND_DELIVERED;
constexpr auto kSoft = v1::DELIVERY_EVENT_KIND_SOFT_BOUNCE;
constexpr auto kHard = v1::DELIVERY_EVENT_KIND_HARD_BOUNCE;
constexpr auto kComplaint = v1::DELIVERY_EVENT_KIND_COMPLAINT;
constexpr auto kRejected = v1::DELIVERY_EVENT_KIND_REJECTED;
constexpr auto kUnsubscribed = v1::DELIVERY_EVENT_KIND_UNSUBSCRIBED;
constexpr auto kOpened = v1::DELIVERY_EVENT_KIND_OPENED;

class DeliveryTest : public OutboxOnEveryStore {
 protected:
  // Brings a message where it is in `state`.
  void Bring(const std::string& id, v1::MessageState state) {
    Add({id});
    if (state == v1::MESSAGE_STATE_DUE) return;
    const auto lease = Lease();
    leased_ = lease.lease_id();
    if (state == v1::MESSAGE_STATE_LEASED) return;
    if (state == v1::MESSAGE_STATE_CANCELLED) {
      ASSERT_TRUE(outbox_->Cancel(kWave, {NameOf(id)}, v1::CANCEL_REASON_SUBMITTED).ok());
      return;
    }
    Begin(lease.lease_id(), id);
    if (state == v1::MESSAGE_STATE_BEGUN) return;
    if (state == v1::MESSAGE_STATE_UNCERTAIN) {
      now_ = now_.load() + absl::Minutes(6);
      ASSERT_TRUE(outbox_->SweepAll().ok());
      return;
    }
    Complete(lease.lease_id(), state == v1::MESSAGE_STATE_FAILED ? Refused(id, true, 554) : Sent(id));
    if (state == v1::MESSAGE_STATE_DELIVERED) Report(Event(id, kDelivered));
    if (state == v1::MESSAGE_STATE_BOUNCED) Report(Event(id, kHard));
  }

  // The last one's.
  std::string leased_;
};

TEST_P(DeliveryTest, WhatNobodyHasLeasedWentNowhere) {
  Add({"a.u.1"});
  EXPECT_EQ(Report(Event("a.u.1", kDelivered)), v1::MAIL_RESULT_INVALID);
  EXPECT_EQ(Report(Event("a.u.1", kHard)), v1::MAIL_RESULT_INVALID);
  EXPECT_EQ(StateOf("a.u.1"), "DUE");
  EXPECT_EQ(Get("a.u.1").events_size(), 0);
  // Nor does such an event count as known afterwards.
  const v1::DeliveryEvent event = Event("a.u.1", kDelivered, "E1");
  EXPECT_EQ(Report(event), v1::MAIL_RESULT_INVALID);
  Lease();
  EXPECT_EQ(Report(event), v1::MAIL_RESULT_OK);
}

TEST_P(DeliveryTest, ADelayOfAnAttemptThatFailedDoesNotMakeItSent) {
  Bring("a.u.1", v1::MESSAGE_STATE_BEGUN);
  EXPECT_EQ(Complete(leased_, Refused("a.u.1", false, 451)), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Report(Event("a.u.1", kSoft)), v1::MAIL_RESULT_OK);
  EXPECT_EQ(StateOf("a.u.1"), "DUE");
  EXPECT_FALSE(Get("a.u.1").has_sent_at());
  // One that may have gone is with the mailing system.
  now_ = now_.load() + MailRetryDelay(1);
  const auto lease = Lease();
  Begin(lease.lease_id(), "a.u.1");
  now_ = now_.load() + absl::Minutes(20);
  ASSERT_TRUE(outbox_->SweepAll().ok());
  ASSERT_EQ(StateOf("a.u.1"), "DUE") << "nothing was heard of it";
  EXPECT_EQ(Report(Event("a.u.1", kSoft)), v1::MAIL_RESULT_OK);
  EXPECT_EQ(StateOf("a.u.1"), "SENT");
}

TEST_P(DeliveryTest, AReturnTokenIsCheckedWhenItIsGivenAndNotKept) {
  Add({"a.u.1", "b.u.1"});
  const auto lease = Lease();
  std::map<std::string, std::string> tokens;
  for (const v1::LeasedMessage& message : lease.messages()) {
    EXPECT_EQ(message.return_token().size(), 16u);
    EXPECT_TRUE(std::all_of(message.return_token().begin(), message.return_token().end(), [](char c) {
      return absl::ascii_islower(c) || absl::ascii_isdigit(c);
    })) << message.return_token();
    tokens[message.message()] = message.return_token();
  }
  const std::string a = tokens[NameOf("a.u.1")], b = tokens[NameOf("b.u.1")];
  EXPECT_NE(a, b);
  for (const std::string& wrong : {b, a.substr(1), a + "a", std::string(16, 'a')}) {
    v1::DeliveryEvent event = Event("a.u.1", kHard);
    event.set_return_token(wrong);
    EXPECT_EQ(Report(event), v1::MAIL_RESULT_INVALID) << wrong;
  }
  EXPECT_EQ(StateOf("a.u.1"), "LEASED");
  v1::DeliveryEvent event = Event("a.u.1", kDelivered);
  event.set_return_token(a);
  EXPECT_EQ(Report(event), v1::MAIL_RESULT_OK);
  ASSERT_EQ(Get("a.u.1").events_size(), 1);
  EXPECT_EQ(Get("a.u.1").events(0).return_token(), "");
  // It holds for later leases, and for as long as the vault has its key.
  now_ = now_.load() + absl::Minutes(5);
  const auto later = Lease();
  ASSERT_EQ(later.messages_size(), 1);
  EXPECT_EQ(later.messages(0).return_token(), b);
  vault_ = *vault::Vault::Make(absl::StrCat(vault::Vault::NewKey("new"), "\n", keys_));
  outbox_ = NewOutbox();
  for (const auto& [token, result] : {std::pair(a, v1::MAIL_RESULT_INVALID), std::pair(b, v1::MAIL_RESULT_OK)}) {
    v1::DeliveryEvent other = Event("b.u.1", kHard);
    other.set_return_token(token);
    EXPECT_EQ(Report(other), result);
  }
}

TEST_P(DeliveryTest, NothingHappensBeforeAMessageIsDueNorInTheFuture) {
  const absl::Time due = now_;
  for (const auto& [reported, kept] : {std::pair(due - absl::Hours(100), due), std::pair(due + absl::Hours(100), due + absl::Hours(1)),
                                       std::pair(due + absl::Minutes(20), due + absl::Minutes(20))}) {
    now_ = due;
    const std::string id = absl::StrCat("m.u.", absl::ToUnixSeconds(reported));
    Bring(id, v1::MESSAGE_STATE_BEGUN);
    now_ = due + absl::Hours(1);
    v1::DeliveryEvent event = Event(id, kDelivered);
    *event.mutable_time() = calendar::ToProto(reported);
    EXPECT_EQ(Report(event), v1::MAIL_RESULT_OK);
    EXPECT_EQ(calendar::FromProto(Get(id).sent_at()), kept);
    EXPECT_EQ(calendar::FromProto(Get(id).events(0).time()), kept);
  }
}

TEST_P(DeliveryTest, EventsMoveMessagesForwardOnly) {
  const struct {
    v1::MessageState before;
    // After ACCEPTED, DELIVERED, SOFT_BOUNCE, HARD_BOUNCE, COMPLAINT, REJECTED, UNSUBSCRIBED.
    std::array<const char*, 7> after;
  } kCases[] = {
      {v1::MESSAGE_STATE_LEASED, {"SENT", "DELIVERED", "LEASED", "BOUNCED", "DELIVERED", "FAILED", "DELIVERED"}},
      {v1::MESSAGE_STATE_BEGUN, {"SENT", "DELIVERED", "SENT", "BOUNCED", "DELIVERED", "FAILED", "DELIVERED"}},
      {v1::MESSAGE_STATE_UNCERTAIN, {"SENT", "DELIVERED", "SENT", "BOUNCED", "DELIVERED", "FAILED", "DELIVERED"}},
      {v1::MESSAGE_STATE_CANCELLED, {"SENT", "DELIVERED", "CANCELLED", "BOUNCED", "DELIVERED", "FAILED", "DELIVERED"}},
      {v1::MESSAGE_STATE_SENT, {"SENT", "DELIVERED", "SENT", "BOUNCED", "DELIVERED", "FAILED", "DELIVERED"}},
      {v1::MESSAGE_STATE_FAILED, {"FAILED", "DELIVERED", "FAILED", "BOUNCED", "DELIVERED", "FAILED", "DELIVERED"}},
      {v1::MESSAGE_STATE_DELIVERED, {"DELIVERED", "DELIVERED", "DELIVERED", "BOUNCED", "DELIVERED", "DELIVERED", "DELIVERED"}},
      {v1::MESSAGE_STATE_BOUNCED, {"BOUNCED", "BOUNCED", "BOUNCED", "BOUNCED", "BOUNCED", "BOUNCED", "BOUNCED"}},
  };
  constexpr std::array kKinds = {kAccepted, kDelivered, kSoft, kHard, kComplaint, kRejected, kUnsubscribed};
  int number = 0;
  for (const auto& test : kCases) {
    for (size_t i = 0; i < kKinds.size(); ++i) {
      SCOPED_TRACE(v1::MessageState_Name(test.before) + " " + v1::DeliveryEventKind_Name(kKinds[i]));
      const std::string id = absl::StrCat("m.u.", ++number);
      Bring(id, test.before);
      ASSERT_EQ(Get(id).state(), test.before);
      EXPECT_EQ(Report(Event(id, kKinds[i])), v1::MAIL_RESULT_OK);
      EXPECT_EQ(StateOf(id), test.after[i]);
      if (Get(id).state() == v1::MESSAGE_STATE_LEASED) Complete(leased_, Sent(id));
      // Whatever it was: it is over.
      const std::string last = StateOf(id);
      now_ = now_.load() + absl::Hours(2);
      EXPECT_THAT(Lease().messages(), IsEmpty());
      EXPECT_EQ(StateOf(id), last);
    }
  }
}

TEST_P(DeliveryTest, TheOrderOfEventsDoesNotMatter) {
  std::vector<v1::DeliveryEventKind> kinds = {kAccepted, kDelivered, kSoft, kHard, kRejected};
  std::sort(kinds.begin(), kinds.end());
  int number = 0;
  // Every order of every choice of three.
  do {
    const std::string id = absl::StrCat("m.u.", ++number);
    Bring(id, v1::MESSAGE_STATE_BEGUN);
    std::vector<v1::DeliveryEventKind> some(kinds.begin(), kinds.begin() + 3);
    for (const auto kind : some) Report(Event(id, kind));
    std::sort(some.begin(), some.end());
    const std::string sorted = absl::StrCat("m.s.", number);
    Bring(sorted, v1::MESSAGE_STATE_BEGUN);
    for (const auto kind : some) Report(Event(sorted, kind));
    EXPECT_EQ(StateOf(id), StateOf(sorted)) << number;
  } while (std::next_permutation(kinds.begin(), kinds.end()));
}

TEST_P(DeliveryTest, TheSameEventCountsOnce) {
  Add({"a.u.1", "b.u.1"});
  Lease();
  EXPECT_EQ(Report(Event("a.u.1", kAccepted, "E1")), v1::MAIL_RESULT_OK);
  EXPECT_EQ(Report(Event("a.u.1", kAccepted, "E1")), v1::MAIL_RESULT_REPEATED);
  EXPECT_EQ(Report(Event("b.u.1", kHard, "E1")), v1::MAIL_RESULT_REPEATED) << "an id is unique with its provider";
  v1::DeliveryEvent other = Event("a.u.1", kDelivered, "E1");
  other.set_provider("postmark");
  v1::ReportDeliveryEventsRequest request;
  request.set_parent(kWave);
  for (int i = 0; i < 2; ++i) *request.add_events() = other;
  const auto response = outbox_->Report(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->results(0).result(), v1::MAIL_RESULT_OK);
  EXPECT_EQ(response->results(1).result(), v1::MAIL_RESULT_REPEATED);
  EXPECT_EQ(Get("a.u.1").events_size(), 2);
}

TEST_P(DeliveryTest, TheLatestEventsAreKeptByTime) {
  Bring("a.u.1", v1::MESSAGE_STATE_BEGUN);
  const absl::Time start = now_;
  for (int i = 0; i < kMaxMailEvents + 10; ++i) {
    // Every other one comes late.
    now_ = start + absl::Minutes(i % 2 == 0 ? i + 1 : i - 1);
    const v1::DeliveryEvent event = Event("a.u.1", kSoft);
    now_ = start + absl::Hours(24);
    Report(event);
  }
  const v1::Message message = Get("a.u.1");
  ASSERT_EQ(message.events_size(), kMaxMailEvents);
  EXPECT_TRUE(std::is_sorted(message.events().begin(), message.events().end(),
                             [](const auto& a, const auto& b) { return calendar::FromProto(a.time()) < calendar::FromProto(b.time()); }));
  EXPECT_EQ(calendar::FromProto(message.events(0).time()), start + absl::Minutes(10));
  EXPECT_EQ(calendar::FromProto(message.sent_at()), start) << "the first that proves it";
}

TEST_P(DeliveryTest, OpensAreDroppedUnlessAskedFor) {
  Bring("a.u.1", v1::MESSAGE_STATE_LEASED);
  EXPECT_EQ(Report(Event("a.u.1", kOpened)), v1::MAIL_RESULT_IGNORED);
  EXPECT_EQ(StateOf("a.u.1"), "LEASED");
  EXPECT_EQ(Get("a.u.1").events_size(), 0);
  outbox_ = NewOutbox({.keep_opens = true});
  EXPECT_EQ(Report(Event("a.u.1", kOpened)), v1::MAIL_RESULT_OK);
  EXPECT_EQ(StateOf("a.u.1"), "DELIVERED");
}

TEST_P(DeliveryTest, SuppressesTheAddressAMessageWentTo) {
  for (const auto& [kind, reason] :
       {std::pair(kHard, v1::SUPPRESSION_REASON_HARD_BOUNCE), std::pair(kComplaint, v1::SUPPRESSION_REASON_COMPLAINT),
        std::pair(kUnsubscribed, v1::SUPPRESSION_REASON_UNSUBSCRIBED)}) {
    const std::string id = absl::StrCat("m.u.", kind);
    Bring(id, v1::MESSAGE_STATE_SENT);
    policy_.suppressed.clear();
    Report(Event(id, kind));
    EXPECT_THAT(policy_.suppressed, ElementsAre(Pair("token of " + id, reason)));
  }
  policy_.suppressed.clear();
  Bring("other.u.1", v1::MESSAGE_STATE_SENT);
  for (const auto kind : {kAccepted, kSoft, kRejected, kDelivered}) Report(Event("other.u.1", kind));
  EXPECT_THAT(policy_.suppressed, IsEmpty());
}

TEST_P(DeliveryTest, ASuppressionThatDidNotSucceedIsNotForgotten) {
  Bring("a.u.1", v1::MESSAGE_STATE_SENT);
  policy_.suppressing = status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "no answer");
  EXPECT_EQ(Report(Event("a.u.1", kHard)), v1::MAIL_RESULT_OK);
  EXPECT_EQ(StateOf("a.u.1"), "BOUNCED");
  outbox_ = NewOutbox();
  EXPECT_EQ(outbox_->SweepAll().code(), absl::StatusCode::kUnavailable);
  policy_.suppressing = absl::OkStatus();
  EXPECT_TRUE(outbox_->SweepAll().ok());
  EXPECT_THAT(policy_.suppressed, ElementsAre(Pair("token of a.u.1", v1::SUPPRESSION_REASON_HARD_BOUNCE)));
  // Once it has succeeded it is not done again: somebody may have taken the address off the list since.
  policy_.suppressed.clear();
  EXPECT_TRUE(outbox_->SweepAll().ok());
  EXPECT_THAT(policy_.suppressed, IsEmpty());
}

TEST_P(DeliveryTest, AddressesAreLeftOutOfWhatServersSaid) {
  Bring("a.u.1", v1::MESSAGE_STATE_LEASED);
  v1::DeliveryEvent event = Event("a.u.1", kHard);
  event.set_diagnostic("550 5.1.1 <j.jansen@gemeente.nl>: no such user");
  Report(event);
  EXPECT_EQ(Get("a.u.1").events(0).diagnostic(), "550 5.1.1 <<address>>: no such user");
  for (const auto& [text, want] :
       {std::pair("rcpt jan@x.nl, piet@y.nl unknown", "rcpt <address>, <address> unknown"),
        std::pair("rfc822;\"jan jansen\"@x.nl bad", "rfc822;<address> bad"), std::pair("josé@straße.nl", "<address>"),
        std::pair("SRS0=x=y=nl=jan@relay.nl", "<address>"), std::pair("jan+a@[192.0.2.1] no", "<address> no"),
        std::pair("4.2.2 over quota @ 10:00", "4.2.2 over quota @ 10:00"), std::pair("a@b@c", "<address>@c"), std::pair("@", "@"),
        std::pair("", "")}) {
    EXPECT_EQ(WithoutAddresses(text), want);
  }
}

TEST_P(DeliveryTest, SaysWhatIsWrongWithAnEvent) {
  Bring("a.u.1", v1::MESSAGE_STATE_LEASED);
  const auto problem = [this](const std::function<void(v1::DeliveryEvent&)>& spoil) {
    v1::DeliveryEvent event = Event("a.u.1", kDelivered);
    spoil(event);
    v1::ReportDeliveryEventsRequest request;
    request.set_parent(kWave);
    *request.add_events() = event;
    const auto response = outbox_->Report(request);
    EXPECT_TRUE(response.ok()) << response.status();
    const v1::MailItemResult& result = response->results(0);
    EXPECT_EQ(result.result() == v1::MAIL_RESULT_INVALID, !result.problem().empty());
    return result.problem().substr(0, result.problem().find(':'));
  };
  EXPECT_EQ(problem([](auto& e) { e.set_message("surveys/vn/waves/2022/messages/a.u.1"); }), "message");
  EXPECT_EQ(problem([](auto& e) { e.set_message("x"); }), "message");
  EXPECT_EQ(problem([](auto& e) { e.set_provider(""); }), "provider");
  EXPECT_EQ(problem([](auto& e) { e.set_provider("a/b"); }), "provider");
  EXPECT_EQ(problem([](auto& e) { e.set_provider(std::string(51, 'a')); }), "provider");
  for (const char* own : {kCompletion, kSettling}) EXPECT_EQ(problem([&](auto& e) { e.set_provider(own); }), "provider");
  EXPECT_EQ(problem([](auto& e) { e.set_event_id(""); }), "event_id");
  EXPECT_EQ(problem([](auto& e) { e.set_event_id(std::string(201, 'a')); }), "event_id");
  EXPECT_EQ(problem([](auto& e) { e.clear_kind(); }), "kind");
  EXPECT_EQ(problem([](auto& e) { e.set_kind(static_cast<v1::DeliveryEventKind>(99)); }), "kind");
  EXPECT_EQ(problem([](auto& e) { e.clear_time(); }), "time");
  EXPECT_EQ(problem([](auto& e) { e.set_smtp_code(199); }), "smtp_code");
  EXPECT_EQ(problem([](auto& e) { e.set_enhanced_code("5.1"); }), "enhanced_code");
  EXPECT_EQ(problem([](auto& e) { e.set_enhanced_code("3.1.1"); }), "enhanced_code");
  EXPECT_EQ(problem([](auto& e) { e.set_enhanced_code("5.1.1000"); }), "enhanced_code");
  EXPECT_EQ(problem([](auto& e) { e.set_diagnostic(std::string(1001, 'a')); }), "diagnostic");
  EXPECT_EQ(StateOf("a.u.1"), "LEASED");
  EXPECT_EQ(problem([](auto& e) { e.set_enhanced_code("5.1.123"); }), "");
}

INSTANTIATE_TEST_SUITE_P(Stores, DeliveryTest, EveryStore(), NameOfStore);

}  // namespace
}  // namespace peiling::fieldwork
