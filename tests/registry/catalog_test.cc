#include <map>

#include "gmock/gmock.h"
#include "services/registry/municipality_catalog.h"
#include "tests/registry/testing.h"

namespace peiling::registry {
namespace {

using ::testing::ElementsAre;

int CountOn(const std::string& date) {
  int count = 0;
  for (const v1::Municipality& m : RealCatalog().all()) count += ExistsOn(m, date) ? 1 : 0;
  return count;
}

TEST(Catalog, HasAsManyMunicipalitiesAsThereWere) {
  const std::map<std::string, int> counts = {{"2014-01-01", 403}, {"2015-01-01", 393}, {"2016-01-01", 390}, {"2017-01-01", 388},
                                             {"2018-01-01", 380}, {"2019-01-01", 355}, {"2020-01-01", 355}, {"2021-01-01", 352},
                                             {"2022-01-01", 345}, {"2022-03-23", 345}, {"2022-03-24", 344}, {"2023-01-01", 342}};
  for (const auto& [date, count] : counts) EXPECT_EQ(CountOn(date), count) << date;
}

TEST(Catalog, ClassesTheFrameOf2022BySize) {
  std::map<survey::v1::SizeClass, int> classes;
  for (const v1::Municipality& m : RealCatalog().all()) {
    if (ExistsOn(m, "2022-03-24")) ++classes[FactsOn(m, "2022-03-24").size_class()];
  }
  EXPECT_EQ(classes[survey::v1::SIZE_CLASS_UNDER_50K], 254);
  EXPECT_EQ(classes[survey::v1::SIZE_CLASS_50K_TO_100K], 58);
  EXPECT_EQ(classes[survey::v1::SIZE_CLASS_100K_TO_200K], 24);
  EXPECT_EQ(classes[survey::v1::SIZE_CLASS_200K_AND_OVER], 8);
}

TEST(SizeClass, BeginsAtItsLowerBound) {
  EXPECT_EQ(SizeClassOf(0), survey::v1::SIZE_CLASS_UNSPECIFIED);
  EXPECT_EQ(SizeClassOf(49'999), survey::v1::SIZE_CLASS_UNDER_50K);
  EXPECT_EQ(SizeClassOf(50'000), survey::v1::SIZE_CLASS_50K_TO_100K);
  EXPECT_EQ(SizeClassOf(99'999), survey::v1::SIZE_CLASS_50K_TO_100K);
  EXPECT_EQ(SizeClassOf(100'000), survey::v1::SIZE_CLASS_100K_TO_200K);
  EXPECT_EQ(SizeClassOf(199'999), survey::v1::SIZE_CLASS_100K_TO_200K);
  EXPECT_EQ(SizeClassOf(200'000), survey::v1::SIZE_CLASS_200K_AND_OVER);
}

v1::Municipality Example() {
  v1::Municipality m;
  m.set_code("GM0001");
  m.set_province("Drenthe");
  m.set_valid_from("2015-01-01");
  m.set_valid_to("2020-01-01");
  for (const auto& [date, count] : {std::pair("2016-01-01", 49'000), std::pair("2018-01-01", 51'000)}) {
    m.add_inhabitants()->set_date(date);
    m.mutable_inhabitants()->rbegin()->set_count(count);
  }
  v1::GroupMembership* group = m.add_groups();
  group->set_group("G40");
  group->set_from("2017-01-01");
  group->set_to("2018-01-01");
  return m;
}

TEST(Facts, TakeTheLatestCountOnOrBeforeTheDayElseTheEarliest) {
  const v1::Municipality m = Example();
  EXPECT_EQ(FactsOn(m, "2015-06-01").inhabitants(), 49'000);
  EXPECT_EQ(FactsOn(m, "2016-01-01").inhabitants(), 49'000);
  EXPECT_EQ(FactsOn(m, "2017-12-31").inhabitants(), 49'000);
  EXPECT_EQ(FactsOn(m, "2018-01-01").inhabitants(), 51'000);
  EXPECT_EQ(FactsOn(m, "2019-01-01").inhabitants_date(), "2018-01-01");
  EXPECT_EQ(FactsOn(m, "2019-01-01").size_class(), survey::v1::SIZE_CLASS_50K_TO_100K);
  EXPECT_EQ(FactsOn(v1::Municipality(), "2019-01-01").inhabitants(), 0);
}

TEST(Facts, HaveTheGroupsOfTheDay) {
  EXPECT_THAT(FactsOn(Example(), "2016-12-31").groups(), ElementsAre());
  EXPECT_THAT(FactsOn(Example(), "2017-01-01").groups(), ElementsAre("G40"));
  EXPECT_THAT(FactsOn(Example(), "2018-01-01").groups(), ElementsAre());
  EXPECT_THAT(FactsOn(*RealCatalog().Find("GM0014"), "2017-06-01").groups(), ElementsAre("G32", "G40"));
  EXPECT_THAT(FactsOn(*RealCatalog().Find("GM0363"), "2022-03-24").groups(), ElementsAre("G4"));
}

TEST(Existence, EndsOnTheFirstDayAfter) {
  const v1::Municipality m = Example();
  EXPECT_FALSE(ExistsOn(m, "2014-12-31"));
  EXPECT_TRUE(ExistsOn(m, "2015-01-01"));
  EXPECT_TRUE(ExistsOn(m, "2019-12-31"));
  EXPECT_FALSE(ExistsOn(m, "2020-01-01"));
}

TEST(Catalog, FindsProvincesHoweverWritten) {
  EXPECT_EQ(RealCatalog().Province("fryslan"), "Fryslân");
  EXPECT_EQ(RealCatalog().Province("noord holland"), "Noord-Holland");
  EXPECT_EQ(RealCatalog().Province("Holland"), "");
  EXPECT_EQ(RealCatalog().Find("GM9999"), nullptr);
}

}  // namespace
}  // namespace peiling::registry
