#include "services/registry/lineage.h"

#include <set>

#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/registry/testing.h"

namespace peiling::registry {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> TraceOne(const std::string& code, const std::string& from, const std::string& to) {
  const auto lineages = Trace(RealCatalog(), {code}, from, to);
  EXPECT_TRUE(lineages.ok()) << lineages.status();
  if (!lineages.ok()) return {};
  EXPECT_EQ(lineages->size(), 1u);
  EXPECT_EQ(lineages->front().code(), code);
  return {lineages->front().codes().begin(), lineages->front().codes().end()};
}

TEST(Lineage, StaysTheSameWhereNothingHappened) {
  EXPECT_THAT(TraceOne("GM0363", "2014-01-01", "2022-01-01"), ElementsAre("GM0363"));
  EXPECT_THAT(TraceOne("GM0363", "2022-01-01", "2014-01-01"), ElementsAre("GM0363"));
  EXPECT_THAT(TraceOne("GM0457", "2022-01-01", "2022-01-01"), ElementsAre("GM0457"));
}

TEST(Lineage, FollowsMergers) {
  EXPECT_THAT(TraceOne("GM0457", "2022-03-23", "2022-03-24"), ElementsAre("GM0363"));
  EXPECT_THAT(TraceOne("GM0363", "2022-03-24", "2022-03-23"), ElementsAre("GM0363", "GM0457"));
  EXPECT_THAT(TraceOne("GM1992", "2023-01-01", "2022-12-31"), ElementsAre("GM0501", "GM0530", "GM0614"));
}

TEST(Lineage, FollowsSplits) {
  EXPECT_THAT(TraceOne("GM0788", "2020-01-01", "2021-01-01"), ElementsAre("GM0757", "GM0824", "GM0855", "GM0865"));
  EXPECT_THAT(TraceOne("GM0865", "2021-01-01", "2020-01-01"), ElementsAre("GM0788", "GM0865"));
}

TEST(Lineage, FollowsRenamesAndRepeatedChanges) {
  // Ubbergen merged into Groesbeek in 2015, which was renamed Berg en Dal in 2016.
  EXPECT_THAT(TraceOne("GM0282", "2014-01-01", "2022-01-01"), ElementsAre("GM1945"));
  EXPECT_THAT(TraceOne("GM0282", "2014-01-01", "2015-06-01"), ElementsAre("GM0241"));
  EXPECT_THAT(TraceOne("GM1945", "2022-01-01", "2014-01-01"), ElementsAre("GM0241", "GM0265", "GM0282"));
  EXPECT_THAT(TraceOne("GM1921", "2014-01-01", "2016-01-01"), ElementsAre("GM1940"));
  // Oss took part of Maasdonk in 2015.
  EXPECT_THAT(TraceOne("GM1671", "2014-01-01", "2022-01-01"), ElementsAre("GM0796", "GM0828"));
}

TEST(Lineage, OfAllForwardsAndBackwardsAgree) {
  const auto forwards = Trace(RealCatalog(), {}, "2014-01-01", "2022-03-24");
  const auto backwards = Trace(RealCatalog(), {}, "2022-03-24", "2014-01-01");
  ASSERT_TRUE(forwards.ok() && backwards.ok());
  EXPECT_EQ(forwards->size(), 403u);
  EXPECT_EQ(backwards->size(), 344u);
  std::set<std::pair<std::string, std::string>> there, back;
  for (const auto& each : *forwards) {
    for (const auto& code : each.codes()) there.emplace(each.code(), code);
  }
  for (const auto& each : *backwards) {
    EXPECT_GT(each.codes_size(), 0) << each.code();
    for (const auto& code : each.codes()) back.emplace(code, each.code());
  }
  EXPECT_EQ(there, back);
}

TEST(Lineage, RefusesWhatDoesNotExist) {
  const absl::Status unknown = Trace(RealCatalog(), {"GM0001"}, "2014-01-01", "2022-01-01").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status::Reason(unknown), "MUNICIPALITY_NOT_FOUND");
  const absl::Status ended = Trace(RealCatalog(), {"GM0457"}, "2022-03-24", "2023-01-01").status();
  EXPECT_EQ(ended.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status::Reason(ended), "NOT_IN_FRAME");
}

}  // namespace
}  // namespace peiling::registry
