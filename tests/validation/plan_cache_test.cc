#include "services/validation/plan_cache.h"

#include "gtest/gtest.h"
#include "tests/validation/questionnaires.h"

namespace peiling::validation {
namespace {

std::shared_ptr<const ValidationPlan> Plan(const std::string& version) {
  auto questionnaire = survey::testing::Everything();
  questionnaire.set_version(version);
  return *ValidationPlan::Compile(questionnaire);
}

TEST(PlanCache, ForgetsTheOneNotUsedForLongest) {
  PlanCache cache(2);
  const auto a = Plan("a"), b = Plan("b"), c = Plan("c");
  EXPECT_EQ(cache.Find(a->fingerprint()), nullptr);
  cache.Add(a);
  cache.Add(b);
  EXPECT_EQ(cache.Find(a->fingerprint()), a);
  cache.Add(c);
  EXPECT_EQ(cache.Find(b->fingerprint()), nullptr);
  EXPECT_EQ(cache.Find(a->fingerprint()), a);
  EXPECT_EQ(cache.Find(c->fingerprint()), c);
}

TEST(PlanCache, KeepsOneOfEach) {
  PlanCache cache(2);
  const auto a = Plan("a"), b = Plan("b");
  cache.Add(b);
  cache.Add(a);
  cache.Add(a);
  EXPECT_EQ(cache.Find(b->fingerprint()), b);
}

}  // namespace
}  // namespace peiling::validation
