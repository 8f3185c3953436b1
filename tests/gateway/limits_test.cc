#include "services/gateway/limits.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Backend kIntake{"intake", "peiling.intake.v1.IntakeService", nullptr};
const Backend kDedup{"dedup", "peiling.dedup.v1.DedupService", nullptr};

std::string ReasonOf(const absl::StatusOr<Limits::Place>& place) { return place.ok() ? "" : status::Reason(place.status()); }

TEST(Limits, CallerIsHeldToItsRateAfterABurst) {
  Limits limits({.calls_per_second = 10, .burst = 3});
  const auto start = Limits::Clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.Take({"keys/a", kIntake}, start).ok());
  const auto refused = limits.Take({"keys/a", kIntake}, start);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), "RATE_LIMITED");
  EXPECT_EQ(status::RetryDelay(refused.status()), milliseconds(100));
  EXPECT_TRUE(limits.Take({"keys/b", kIntake}, start).ok()) << "others have their own";
  EXPECT_EQ(ReasonOf(limits.Take({"keys/a", kIntake}, start + milliseconds(99))), "RATE_LIMITED");
  EXPECT_TRUE(limits.Take({"keys/a", kIntake}, start + milliseconds(100)).ok());
  // No more than the burst is saved up.
  int taken = 0;
  while (limits.Take({"keys/a", kIntake}, start + seconds(100)).ok()) ++taken;
  EXPECT_EQ(taken, 3);
}

TEST(Limits, ServicesOfOneProcessShareItsPlaces) {
  const Backend drafts{"intake", "peiling.intake.v1.DraftService", nullptr};
  Limits limits({.max_calls_per_backend = 1});
  const auto first = limits.Take({"keys/a", kIntake});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(ReasonOf(limits.Take({"keys/a", drafts})), "BACKEND_BUSY");
  EXPECT_TRUE(limits.Take({"keys/a", kDedup}).ok());
}

TEST(Limits, PlacesAreGivenBack) {
  struct Case {
    CallLimits limits;
    std::string subject;
    const Backend& backend;
    bool stream;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {{.max_calls_per_caller = 1}, "keys/a", kDedup, false, "TOO_MANY_CALLS"},
      {{.max_streams_per_caller = 1}, "keys/a", kDedup, true, "TOO_MANY_STREAMS"},
      {{.max_calls = 1}, "keys/b", kDedup, false, "GATEWAY_BUSY"},
      {{.max_calls_per_backend = 1}, "keys/b", kIntake, false, "BACKEND_BUSY"},
  };
  for (const auto& [given, subject, backend, stream, reason] : cases) {
    Limits limits(given);
    std::optional<absl::StatusOr<Limits::Place>> first = limits.Take({"keys/a", kIntake, true});
    ASSERT_TRUE(first->ok());
    const auto refused = limits.Take({subject, backend, stream});
    EXPECT_EQ(ReasonOf(refused), reason);
    EXPECT_TRUE(status::RetryDelay(refused.status()).has_value()) << reason;
    first.reset();
    EXPECT_TRUE(limits.Take({subject, backend, stream}).ok()) << reason;
  }
}

TEST(Limits, OneInvitationHasFewPlaces) {
  Limits limits({.max_calls_per_caller = 4, .max_calls_per_invitation = 2});
  const Limits::Call call{.subject = "surveys/s/waves/1/invitations/GM0363/issues/2", .backend = kIntake, .invitation = true};
  const auto first = limits.Take(call), second = limits.Take(call);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(ReasonOf(limits.Take(call)), "TOO_MANY_CALLS");
  EXPECT_TRUE(limits.Take({.subject = "surveys/s/waves/1/invitations/GM0014/issues/1", .backend = kIntake, .invitation = true}).ok());
}

TEST(Limits, OneCallerLeavesRoomForOthers) {
  Limits limits({.max_calls = 4, .max_calls_per_backend = 4, .max_calls_per_caller = 2});
  std::vector<absl::StatusOr<Limits::Place>> places;
  places.reserve(10);
  for (int i = 0; i < 10; ++i) places.push_back(limits.Take({"keys/greedy", kIntake}));
  EXPECT_TRUE(limits.Take({"keys/b", kIntake}).ok());
}

TEST(Limits, UnaryCallsDoNotCountAsStreams) {
  Limits limits({.max_streams_per_caller = 1});
  const auto stream = limits.Take({"keys/a", kIntake, true});
  EXPECT_TRUE(limits.Take({"keys/a", kIntake}).ok());
}

TEST(Limits, CallersThatCannotBeToldApartHaveTheLimitsOfAllAlone) {
  Limits limits({.max_calls = 3, .max_calls_per_caller = 1, .burst = 1});
  const auto first = limits.Take({"", kIntake}), second = limits.Take({"", kIntake}), third = limits.Take({"", kIntake});
  EXPECT_TRUE(first.ok() && second.ok() && third.ok());
  EXPECT_EQ(ReasonOf(limits.Take({"", kIntake})), "GATEWAY_BUSY");
}

TEST(Limits, CallersThatAreIdleAreForgotten) {
  Limits limits({.calls_per_second = 1, .burst = 10});
  const auto start = Limits::Clock::now();
  const auto held = limits.Take({"keys/busy", kIntake}, start);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limits.Take({"tokens/" + std::to_string(i), kDedup}, start + milliseconds(1)).ok() || i > 0);
  EXPECT_EQ(limits.callers(), 1001u);
  EXPECT_TRUE(limits.Take({"keys/b", kIntake}, start + seconds(30)).ok());
  EXPECT_EQ(limits.callers(), 2u) << "the one with a call under way, and the new one";
}

}  // namespace
}  // namespace peiling::gateway
