#include "services/dedup/rulings.h"

#include <gtest/gtest.h>

#include "tests/dedup/fixture.h"

namespace peiling::dedup {
namespace {

v1::Ruling Retracted(v1::Ruling ruling) {
  *ruling.mutable_retracted_at() = StoppedClock();
  return ruling;
}

TEST(RulingsTest, RetractedOnesDoNotStand) {
  const Rulings rulings(Numbered({Retracted(Assign("1", "GM0001")), Retracted(Exclude("1")), Retracted(Keep("1", "GM0001"))}));
  EXPECT_EQ(rulings.Assignment(ResponseName("1")), nullptr);
  EXPECT_EQ(rulings.Exclusion(ResponseName("1")), nullptr);
  EXPECT_EQ(rulings.Keep(ResponseName("1"), "GM0001"), nullptr);
  EXPECT_EQ(rulings.Conflict(Assign("1", "GM0002")), nullptr);
}

TEST(RulingsTest, EarliestStandingOneIsGiven) {
  const Rulings rulings(Numbered({Retracted(Exclude("1")), Exclude("1"), Exclude("1")}));
  ASSERT_NE(rulings.Exclusion(ResponseName("1")), nullptr);
  EXPECT_EQ(rulings.Exclusion(ResponseName("1"))->name(), "surveys/s/waves/w/rulings/2");
}

TEST(RulingsTest, KeepIsForOneMunicipality) {
  const Rulings rulings(Numbered({Keep("1", "GM0001")}));
  EXPECT_NE(rulings.Keep(ResponseName("1"), "GM0001"), nullptr);
  EXPECT_EQ(rulings.Keep(ResponseName("1"), "GM0002"), nullptr);
  EXPECT_EQ(rulings.Keep(ResponseName("2"), "GM0001"), nullptr);
}

TEST(RulingsTest, AssignedCodesAreSortedAndDifferent) {
  EXPECT_EQ(AssignedCodes(Split("1", {"GM0003", "GM0001", "GM0003"})), (std::vector<std::string>{"GM0001", "GM0003"}));
  EXPECT_EQ(AssignedCodes(Assign("1", "GM0002")), (std::vector<std::string>{"GM0002"}));
}

struct ConflictCase {
  const char* name;
  v1::Ruling standing;
  v1::Ruling candidate;
  bool conflict;
};

class ConflictTest : public testing::TestWithParam<ConflictCase> {};

TEST_P(ConflictTest, IsFoundWhenBothCannotStand) {
  const Rulings rulings(Numbered({GetParam().standing}));
  EXPECT_EQ(rulings.Conflict(GetParam().candidate) != nullptr, GetParam().conflict);
}

INSTANTIATE_TEST_SUITE_P(All, ConflictTest,
                         testing::Values(ConflictCase{"AssignElsewhere", Assign("1", "GM0001"), Assign("1", "GM0002"), true},
                                         ConflictCase{"AssignAgain", Assign("1", "GM0001"), Assign("1", "GM0001"), false},
                                         ConflictCase{"AssignAnother", Assign("1", "GM0001"), Assign("2", "GM0002"), false},
                                         ConflictCase{"SplitWhatIsAssigned", Assign("1", "GM0001"), Split("1", {"GM0001", "GM0002"}), true},
                                         ConflictCase{"SplitInAnotherOrder", Split("1", {"GM0002", "GM0001"}),
                                                      Split("1", {"GM0001", "GM0002"}), false},
                                         ConflictCase{"KeepAnotherForTheSame", Keep("1", "GM0001"), Keep("2", "GM0001"), true},
                                         ConflictCase{"KeepAgain", Keep("1", "GM0001"), Keep("1", "GM0001"), false},
                                         ConflictCase{"KeepJointForAnother", Keep("1", "GM0001"), Keep("1", "GM0002"), false},
                                         ConflictCase{"ExcludeAgain", Exclude("1"), Exclude("1"), false},
                                         ConflictCase{"ExcludeWhatIsAssigned", Assign("1", "GM0001"), Exclude("1"), false},
                                         ConflictCase{"AssignWhatIsExcluded", Exclude("1"), Assign("1", "GM0001"), false}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace peiling::dedup
