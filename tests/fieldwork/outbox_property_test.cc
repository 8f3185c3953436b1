// Mailing systems, replicas and the network do what they like, in every order: lease, begin, send, complete, report, go away, come back,
// lose answers. A server for mail that is imagined writes down what it got.
#include <algorithm>
#include <deque>
#include <random>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "services/fieldwork/mail/message_life.h"
#include "tests/common/storage/forwarding_store.h"
#include "tests/fieldwork/outbox_setting.h"

namespace peiling::fieldwork {
namespace {

constexpr absl::Duration kSettleTime = absl::Minutes(15);
constexpr absl::Duration kLeaseDuration = absl::Minutes(2);
constexpr int kMessages = 40;

using Random = std::mt19937;

bool Chance(Random& random, double probability) { return std::bernoulli_distribution(probability)(random); }
template <typename T>
T Between(Random& random, T least, T most) {
  return std::uniform_int_distribution<T>(least, most)(random);
}

// Sometimes says that a commit did not succeed: when it did, and when it did not.
class FlakyStore : public storage::ForwardingStore {
 public:
  FlakyStore(storage::Store& store, Random& random) : ForwardingStore(store), random_(random) {}

  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    const bool fails = flaky && Chance(random_, 0.1);
    if (fails && Chance(random_, 0.5)) return Lost();
    auto result = ForwardingStore::Commit(std::move(batch));
    return fails ? Lost() : result;
  }

  bool flaky = true;

 private:
  static absl::StatusOr<storage::CommitResult> Lost() {
    return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "the connection went away");
  }
  Random& random_;
};

class Simulation : public OutboxSetting {
 protected:
  // A mailing system: what it remembers between two steps. When it goes away it remembers nothing.
  struct Mailer {
    int number = 0;
    std::string request_id;
    std::string lease_id;
    absl::Time lease_end = absl::InfinitePast();
    std::vector<std::string> leased, begun;
    std::vector<v1::MailOutcome> outcomes;
  };
  // An event that somebody reports some time.
  struct Pending {
    absl::Time time;
    v1::DeliveryEvent event;
  };

  void TestBody() override {}

  // `latest_report`: how long after it was sent a message's acceptance is reported, at most.
  void Run(unsigned seed, absl::Duration latest_report) {
    random_.seed(seed);
    latest_report_ = latest_report;
    SetUp();
    flaky_ = std::make_unique<FlakyStore>(*store_, random_);
    std::vector<v1::Message> messages;
    messages.reserve(kMessages);
    for (int i = 0; i < kMessages; ++i) {
      messages.push_back(Planned(absl::StrCat("m", i, ".u.1"), now_.load() + absl::Minutes(Between(random_, -5, 60))));
    }
    ASSERT_TRUE(outbox_->Add(kWave, messages).ok());
    for (auto& replica : replicas_) replica = NewOutbox(*flaky_);
    for (int step = 0; step < 400; ++step) Step();
    flaky_->flaky = false;
    // Then all goes well.
    for (int step = 0; step < 3000 && Unfinished() > 0; ++step) Step();
    for (int i = 0; i < 20; ++i) Wait(absl::Hours(1));
  }

  int Doubles() const {
    return static_cast<int>(std::count_if(got_.begin(), got_.end(), [](const auto& message) { return message.second > 1; }));
  }

  void CheckEnd() {
    std::map<v1::MessageState, int64_t> states;
    const absl::Status read = outbox_->ForEach(kWave, [&](const v1::Message& message) {
      ++states[message.state()];
      const bool sent = got_[message.name()] > 0;
      switch (message.state()) {
        case v1::MESSAGE_STATE_SENT:
          EXPECT_TRUE(sent || IsUnconfirmed(message)) << message.name();
          break;
        case v1::MESSAGE_STATE_DELIVERED:
          EXPECT_TRUE(sent) << message.name();
          break;
        case v1::MESSAGE_STATE_CANCELLED:
          EXPECT_FALSE(sent) << message.name();
          EXPECT_TRUE(policy_.at_beginning_reasons.count(message.name())) << message.name();
          break;
        case v1::MESSAGE_STATE_FAILED:
          EXPECT_FALSE(sent) << message.name();
          EXPECT_TRUE(refused_for_good_.count(message.name()) || refused_[message.name()] > 5) << message.name();
          break;
        case v1::MESSAGE_STATE_BOUNCED:
          EXPECT_FALSE(sent) << message.name();
          EXPECT_TRUE(came_back_.count(message.name())) << message.name();
          break;
        default:
          ADD_FAILURE() << message.ShortDebugString();
      }
    });
    EXPECT_TRUE(read.ok()) << read;
    const auto counts = outbox_->Counts(kWave);
    ASSERT_TRUE(counts.ok() && counts->size() == 1);
    std::map<v1::MessageState, int64_t> counted;
    for (const v1::StateCount& count : counts->front().states()) counted[count.state()] = count.count();
    EXPECT_EQ(counted, states);
    for (const char* prefix : {"due/", "settle/", "lease/", "mailstate/suppress/"}) {
      const auto left = store_->Count(kWave, prefix);
      ASSERT_TRUE(left.ok()) << left.status();
      EXPECT_EQ(*left, 0u) << prefix;
    }
  }

 private:
  // Begun twice, and nothing was heard of it.
  bool IsUnconfirmed(const v1::Message& message) {
    const auto whole = outbox_->Get(message.name());
    return whole.ok() && std::count_if(whole->events().begin(), whole->events().end(),
                                       [](const v1::DeliveryEvent& event) { return event.provider() == kSettling; }) == 2;
  }

  Outbox& AnyReplica() { return *replicas_[Between<size_t>(random_, 0, replicas_.size() - 1)]; }

  int Unfinished() {
    int number = 0;
    EXPECT_TRUE(outbox_
                    ->ForEach(kWave,
                              [&](const v1::Message& message) {
                                const auto state = message.state();
                                number += state == v1::MESSAGE_STATE_DUE || state == v1::MESSAGE_STATE_LEASED ||
                                          state == v1::MESSAGE_STATE_BEGUN || state == v1::MESSAGE_STATE_UNCERTAIN;
                              })
                    .ok());
    return number;
  }

  void Step() {
    Mailer& mailer = mailers_[Between<size_t>(random_, 0, mailers_.size() - 1)];
    switch (Between(random_, 0, 19)) {
      case 0:
      case 7:
        if (flaky_->flaky) mailer = {};
        break;
      case 1:
        if (flaky_->flaky) replicas_[Between<size_t>(random_, 0, replicas_.size() - 1)] = NewOutbox(*flaky_);
        break;
      case 2:
        AnyReplica().SweepAll().IgnoreError();
        break;
      case 3:
        // Somebody submits.
        if (Chance(random_, 0.2)) {
          policy_.at_beginning_reasons[NameOf(absl::StrCat("m", Between(random_, 0, kMessages - 1), ".u.1"))] = v1::CANCEL_REASON_SUBMITTED;
        }
        break;
      case 4:
      case 5:
        Wait(absl::Seconds(Between(random_, 1, 240)));
        break;
      case 6:
        ReportEarly();
        break;
      default:
        Act(mailer);
    }
  }

  void Act(Mailer& mailer) {
    const bool leased = now_.load() < mailer.lease_end;
    if (!mailer.outcomes.empty() && Chance(random_, 0.5)) return CompleteSome(mailer);
    if (!mailer.begun.empty() && leased) return SendOne(mailer);
    if (!mailer.leased.empty() && leased) return BeginSome(mailer);
    if (!mailer.outcomes.empty()) return CompleteSome(mailer);
    LeaseSome(mailer);
  }

  void LeaseSome(Mailer& mailer) {
    if (mailer.request_id.empty()) mailer.request_id = absl::StrCat("request ", ++requests_);
    v1::LeaseMailRequest request;
    request.set_parent(kWave);
    request.set_request_id(mailer.request_id);
    request.set_max_messages(Between(random_, 1, 8));
    request.mutable_lease_duration()->set_seconds(absl::ToInt64Seconds(kLeaseDuration));
    const auto lease = AnyReplica().Lease(request, "mailer");
    // Asked for again with the same id, mostly.
    if (!lease.ok() && Chance(random_, 0.8)) return;
    mailer = {};
    if (!lease.ok()) return;
    mailer.lease_id = lease->lease_id();
    mailer.lease_end = calendar::FromProto(lease->expires_at());
    for (const v1::LeasedMessage& message : lease->messages()) mailer.leased.push_back(message.message());
  }

  void BeginSome(Mailer& mailer) {
    v1::BeginMailRequest request;
    request.set_parent(kWave);
    request.set_lease_id(mailer.lease_id);
    const int number = Between<int>(random_, 1, static_cast<int>(mailer.leased.size()));
    for (int i = 0; i < number; ++i) request.add_messages(mailer.leased[i]);
    const auto response = AnyReplica().Begin(request);
    // It asks again, or forgets them.
    if (!response.ok() && Chance(random_, 0.5)) return;
    mailer.leased.erase(mailer.leased.begin(), mailer.leased.begin() + number);
    if (!response.ok()) return;
    for (const v1::MailItemResult& result : response->results()) {
      if (result.result() == v1::MAIL_RESULT_OK) mailer.begun.push_back(result.message());
    }
  }

  void SendOne(Mailer& mailer) {
    const std::string name = mailer.begun.back();
    mailer.begun.pop_back();
    v1::MailOutcome outcome;
    outcome.set_message(name);
    if (Chance(random_, 0.1)) {
      ++refused_[name];
      outcome.set_permanent(Chance(random_, 0.3));
      // Half of the time because of the address.
      outcome.set_smtp_code(Chance(random_, 0.5) ? 550 : 554);
      if (outcome.permanent()) (outcome.smtp_code() == 550 ? came_back_ : refused_for_good_).insert(name);
    } else if (Chance(random_, 0.1)) {
      outcome.set_not_tried(true);
    } else {
      ++got_[name];
      outcome.set_sent(true);
      for (const auto kind : {v1::DELIVERY_EVENT_KIND_ACCEPTED, v1::DELIVERY_EVENT_KIND_DELIVERED}) {
        v1::DeliveryEvent event = Event(name.substr(NameOf("").size()), kind);
        const absl::Duration latest = kind == v1::DELIVERY_EVENT_KIND_ACCEPTED ? latest_report_ : absl::Hours(3);
        // Often as late as can be.
        const auto seconds =
            Chance(random_, 0.5) ? absl::ToInt64Seconds(latest) : Between<int64_t>(random_, 0, absl::ToInt64Seconds(latest));
        events_.push_back({now_.load() + absl::Seconds(seconds), event});
        // Twice, now and then.
        if (Chance(random_, 0.3)) events_.push_back({now_.load() + absl::Hours(Between(random_, 0, 5)), event});
      }
    }
    mailer.outcomes.push_back(std::move(outcome));
  }

  void CompleteSome(Mailer& mailer) {
    v1::CompleteMailRequest request;
    request.set_parent(kWave);
    request.set_lease_id(mailer.lease_id);
    for (const v1::MailOutcome& outcome : mailer.outcomes) *request.add_outcomes() = outcome;
    const auto response = AnyReplica().Complete(request);
    if (response.ok() || Chance(random_, 0.5)) mailer.outcomes.clear();
  }

  // Lets time pass; what is to be reported by then is.
  void Wait(absl::Duration time) {
    const absl::Time end = now_.load() + time;
    for (;;) {
      const auto next = std::min_element(events_.begin(), events_.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
      if (next == events_.end() || next->time > end) break;
      now_ = std::max(now_.load(), next->time);
      ReportOne(next);
    }
    now_ = end;
    if (Chance(random_, 0.3)) AnyReplica().SweepAll().IgnoreError();
  }

  // One is reported before its time.
  void ReportEarly() {
    if (events_.empty()) return;
    ReportOne(events_.begin() + static_cast<ptrdiff_t>(Between<size_t>(random_, 0, events_.size() - 1)));
  }

  void ReportOne(const std::deque<Pending>::iterator& pending) {
    v1::ReportDeliveryEventsRequest request;
    request.set_parent(kWave);
    *request.add_events() = pending->event;
    events_.erase(pending);
    // A system that reports asks until it is answered.
    for (;;) {
      const auto response = AnyReplica().Report(request);
      if (!response.ok()) continue;
      const v1::MailResult result = response->results(0).result();
      EXPECT_TRUE(result == v1::MAIL_RESULT_OK || result == v1::MAIL_RESULT_REPEATED) << result;
      return;
    }
  }

  Random random_;
  absl::Duration latest_report_;
  std::unique_ptr<FlakyStore> flaky_;
  std::array<std::unique_ptr<Outbox>, 2> replicas_;
  std::array<Mailer, 3> mailers_;
  std::deque<Pending> events_;
  std::map<std::string, int> got_, refused_;
  std::set<std::string> refused_for_good_, came_back_;
  int requests_ = 0;
};

class OneSimulation : public Simulation {
 public:
  using Simulation::CheckEnd;
  using Simulation::Doubles;
  using Simulation::Run;
};

TEST(OutboxPropertyTest, EveryMessageIsSentOnceWhateverHappens) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    OneSimulation simulation;
    simulation.Run(seed, kSettleTime - absl::Seconds(1));
    EXPECT_EQ(simulation.Doubles(), 0);
    simulation.CheckEnd();
    if (testing::Test::HasFailure()) break;
  }
}

// What the promise rests on, and that the test above would see it broken.
TEST(OutboxPropertyTest, WhatIsReportedTooLateCanBeSentTwice) {
  int doubles = 0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    OneSimulation simulation;
    simulation.Run(seed, 4 * kSettleTime);
    doubles += simulation.Doubles();
  }
  EXPECT_GT(doubles, 0);
}

}  // namespace
}  // namespace peiling::fieldwork
