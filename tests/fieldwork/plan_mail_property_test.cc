// What must hold whatever happens in whatever order.
#include <functional>
#include <random>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fieldwork/mail_world.h"

namespace peiling::fieldwork {
namespace {

constexpr int kHistories = 60;
// Between the two reminders that are closest.
constexpr absl::Duration kPauseOfThePlan = absl::Hours(24);

class History {
 public:
  explicit History(unsigned seed) : random_(seed) {
    world_.now = At("2026-02-27 08:00");
    // Many, so that they get in each other's way.
    for (const int day : {4, 5, 8, 12, 20, 23}) {
      *world_.wave.mutable_mailing_plan()->add_steps() =
          MakeStep(absl::StrCat("dag-", day), survey::v1::MAIL_KIND_REMINDER, survey::v1::MAIL_ANCHOR_OPENING, day);
    }
    for (int i = 1; i <= 3; ++i) {
      if (Chance(4)) world_.dead.push_back(MailWorld::ContactName(i));
    }
  }

  void Run() {
    const absl::Time end = At("2026-05-10 00:00");
    while (world_.now < end) {
      // The clocks go forward in between (29 March); every hour of the day comes by.
      world_.now += absl::Minutes(Number(5, 600));
      for (int i = Number(0, 2); i > 0; --i) Something();
      world_.Plan();
      if (world_.mailer_works) Send();
      world_.Plan();
      CheckNothingIsLeftToPlan();
    }
  }

 private:
  int Number(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }
  bool Chance(int one_of) { return Number(1, one_of) == 1; }

  void Something() {
    const bool open = world_.now < calendar::FromProto(world_.wave.closes_at());
    switch (Number(0, 42)) {
      case 0:
        if (open) world_.Submit();
        break;
      case 1:
        if (world_.facts.submitted) world_.Reopen();
        break;
      case 2:
      case 11:
      case 12:
        world_.mailer_works = Chance(2);
        break;
      case 3:
        world_.Contact(Number(1, 3)).suppressed = Chance(2);
        break;
      case 4:
        *world_.facts.invitation.mutable_opened_at() = calendar::ToProto(world_.now);
        break;
      case 5:
        world_.facts.invitation.set_state(Chance(2) ? v1::INVITATION_STATE_REVOKED : v1::INVITATION_STATE_ISSUED);
        break;
      case 6:
        if (world_.wave.extensions() < 2 && Chance(3))
          world_.Extend(world_.wave.extensions() == 0 ? "2026-04-12 17:00" : "2026-04-26 17:00");
        break;
      case 7:
        if (open && Chance(8)) world_.HandOver(absl::StrCat("holder", Number(1, 1000)));
        break;
      case 8:
        if (open && Chance(3))
          world_.facts.holders.push_back({.id = "1", .mail_id = absl::StrCat("c", Number(1, 100000)), .since = world_.now});
        break;
      case 9:
        world_.dead.clear();
        for (UsableContact& contact : world_.facts.contacts) contact.suppressed = false;
        break;
      case 10:
        // Somebody chooses another contact.
        if (!world_.facts.invitation.handed_over()) world_.facts.invitation.set_contact(MailWorld::ContactName(Number(1, 3)));
        break;
      case 13:
        world_.facts.last_change = world_.now;
        break;
      case 14:
        world_.failing.clear();
        for (int i = 1; i <= 3; ++i) {
          if (Chance(3)) world_.failing.push_back(MailWorld::ContactName(i));
        }
        break;
      default:
        break;
    }
  }

  void Send() {
    const size_t before = world_.sent.size();
    const bool submitted = world_.facts.submitted;
    world_.Send();
    for (size_t i = before; i < world_.sent.size(); ++i) Check(world_.sent[i], i, submitted);
  }

  bool WasInvited(const std::string& receiver, size_t until) const {
    return std::any_of(world_.sent.begin(), world_.sent.begin() + static_cast<std::ptrdiff_t>(until), [&](const SentMail& mail) {
      return mail.receiver == receiver && !mail.came_back &&
             (mail.kind == survey::v1::MAIL_KIND_INVITATION || mail.kind == survey::v1::MAIL_KIND_COLLEAGUE);
    });
  }

  void Check(const SentMail& mail, size_t index, bool submitted) {
    using namespace survey::v1;
    const std::string what = world_.Log()[index];
    for (size_t i = 0; i < index; ++i) {
      const SentMail& earlier = world_.sent[i];
      if (earlier.came_back || earlier.receiver != mail.receiver) continue;
      EXPECT_NE(earlier.part, mail.part) << what << " went twice";
      const bool calls = mail.kind == MAIL_KIND_REMINDER && earlier.kind != MAIL_KIND_THANKS;
      if (!calls) continue;
      EXPECT_GE(mail.time - earlier.time, kPauseOfThePlan) << what << " came soon after " << world_.Log()[i];
    }
    if (mail.kind == MAIL_KIND_REMINDER || mail.kind == MAIL_KIND_EXTENSION) {
      EXPECT_TRUE(WasInvited(mail.receiver, index)) << what << " before an invitation";
    }
    if (mail.kind != MAIL_KIND_THANKS && mail.kind != MAIL_KIND_COLLEAGUE) {
      EXPECT_FALSE(submitted) << what << " after the response was submitted";
      EXPECT_LT(mail.time, calendar::FromProto(world_.wave.closes_at())) << what << " after the end";
      EXPECT_NE(world_.facts.invitation.state(), v1::INVITATION_STATE_REVOKED) << what;
    }
    EXPECT_TRUE(mail.kind != MAIL_KIND_THANKS || submitted) << what;
  }

  // Not now, and not as long as nothing but the time changes until the plan says.
  void CheckNothingIsLeftToPlan() {
    const MailPlan again = PlanMail(world_.now, world_.wave, world_.facts, world_.messages);
    EXPECT_TRUE(again.add.empty() && again.cancel.empty() && !again.escalate_to.has_value());
    const absl::Time last = std::min(again.next, world_.now + absl::Hours(24 * 40)) - absl::Seconds(1);
    for (const absl::Time time : {world_.now + (last - world_.now) / 2, last}) {
      if (time <= world_.now) continue;
      const MailPlan later = PlanMail(time, world_.wave, world_.facts, world_.messages);
      EXPECT_TRUE(later.add.empty() && later.cancel.empty() && !later.escalate_to.has_value()) << time << " before " << again.next;
    }
  }

  std::mt19937 random_;
  MailWorld world_;
};

TEST(PlanMailProperty, NobodyIsBotheredWhateverHappens) {
  for (unsigned seed = 1; seed <= kHistories; ++seed) {
    SCOPED_TRACE(seed);
    History(seed).Run();
    if (testing::Test::HasFailure()) return;
  }
}

// With mail that works, and contacts that change only before, somebody is reached as long as anybody can be.
TEST(PlanMailProperty, EverybodyWhoCanBeReachedIsReachedInTurn) {
  for (int reachable = 0; reachable < 8; ++reachable) {
    MailWorld world;
    std::string first;
    for (int i = 1; i <= 3; ++i) {
      const bool alive = (reachable & (1 << (i - 1))) != 0;
      if (!alive) world.dead.push_back(MailWorld::ContactName(i));
      if (alive && first.empty()) first = MailWorld::Receiver(i);
    }
    world.RunUntil("2026-03-10 00:00");
    if (first.empty()) {
      EXPECT_EQ(world.facts.invitation.contact(), "") << reachable;
      EXPECT_EQ(world.sent.size(), 3u);
    } else {
      ASSERT_FALSE(world.sent.empty()) << reachable;
      EXPECT_EQ(world.sent.back().receiver, first) << reachable;
      EXPECT_FALSE(world.sent.back().came_back);
    }
  }
}

// Things that happen in one moment, planned one by one or all at once.
TEST(PlanMailProperty, TheOrderInWhichChangesComeDoesNotMatter) {
  const std::vector<std::function<void(MailWorld&)>> changes = {
      [](MailWorld& world) { world.Contact(1).suppressed = true; },
      [](MailWorld& world) { world.Contact(2).suppressed = true; },
      [](MailWorld& world) { world.Extend("2026-04-12 17:00"); },
      [](MailWorld& world) { world.facts.holders.push_back({.id = "1", .mail_id = "abc", .since = world.now}); },
      [](MailWorld& world) { world.AddContact(4); },
      [](MailWorld& world) { *world.facts.invitation.mutable_opened_at() = calendar::ToProto(world.now); },
      [](MailWorld& world) { world.Submit(); },
  };
  const auto outcome = [&](const char* when, const std::vector<size_t>& order, bool one_by_one) {
    MailWorld world;
    world.RunUntil(when, absl::Hours(3));
    for (const size_t index : order) {
      changes[index](world);
      if (one_by_one) world.Plan();
    }
    world.RunUntil("2026-04-20 00:00", absl::Hours(3));
    std::vector<std::string> log = world.Log();
    std::sort(log.begin(), log.end());
    return log;
  };
  std::mt19937 random(1);
  for (const char* const when : {"2026-03-01 12:00", "2026-03-10 12:00", "2026-03-24 12:00", "2026-03-29 02:00"}) {
    for (size_t subset = 1; subset < (1u << changes.size()); subset += 11) {
      std::vector<size_t> order;
      for (size_t i = 0; i < changes.size(); ++i) {
        if ((subset & (1u << i)) != 0) order.push_back(i);
      }
      const std::vector<std::string> together = outcome(when, order, false);
      std::shuffle(order.begin(), order.end(), random);
      EXPECT_EQ(outcome(when, order, true), together) << when << " " << subset;
    }
  }
}

// However often and by how many replicas it is planned: what was planned on an older view adds nothing to what is there.
TEST(PlanMailProperty, AReplicaThatLagsPlansTheSameMessages) {
  MailWorld world;
  world.RunUntil("2026-03-16 08:00");
  MailWorld other = world;
  world.now = other.now = At("2026-03-16 09:00");
  world.Plan();
  other.now += absl::Minutes(7);
  const MailPlan late = PlanMail(other.now, other.wave, other.facts, other.messages);
  ASSERT_EQ(late.add.size(), 1u);
  EXPECT_NE(world.Find(late.add[0].name()), nullptr);
}

}  // namespace
}  // namespace peiling::fieldwork
