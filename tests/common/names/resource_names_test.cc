#include "services/common/names/resource_names.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace peiling::names {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;
using testing::Pair;

TEST(Match, TakesTheIdsOutOfANameThatFollowsThePattern) {
  EXPECT_THAT(Match("surveys/sociale-wijkteams/waves/2022", "surveys/*/waves/*"), Optional(ElementsAre("sociale-wijkteams", "2022")));
  EXPECT_THAT(Match("surveys/a/waves/b/responses/c.d~e_F", "surveys/*/waves/*/responses/*"), Optional(ElementsAre("a", "b", "c.d~e_F")));
  EXPECT_THAT(Match("surveys", "surveys"), Optional(IsEmpty()));
}

TEST(Match, RefusesEverythingElse) {
  for (const char* name : {"", "surveys", "surveys/", "surveys/a/waves", "surveys/a/waves/", "/surveys/a/waves/b", "surveys/a/waves/b/",
                           "surveys/a/waves/b/responses/c", "surveys/a/wave/b", "surveys/a b/waves/c", "surveys/../waves/c",
                           "surveys/é/waves/c", "surveys//waves/c"}) {
    EXPECT_EQ(Match(name, "surveys/*/waves/*"), std::nullopt) << name;
  }
}

TEST(IsId, IsOneToAHundredPlainCharacters) {
  for (const std::string& text : {std::string("a"), std::string("A-b_c.d~9"), std::string(100, 'x')}) EXPECT_TRUE(IsId(text)) << text;
  for (const std::string& text : {std::string(), std::string(101, 'x'), std::string(".a"), std::string("a/b"), std::string("a b"),
                                  std::string("a\0b", 3), std::string("*")}) {
    EXPECT_FALSE(IsId(text)) << text;
  }
}

TEST(Require, ReportsAWrongNameAndGivesAsManyIdsAsThePatternHas) {
  status::BadRequest bad;
  EXPECT_THAT(Require("wave", "surveys/a/waves/b", "surveys/*/waves/*", bad), ElementsAre("a", "b"));
  EXPECT_TRUE(bad.empty());
  EXPECT_THAT(Require("wave", "x", "surveys/*/waves/*", bad), ElementsAre("", ""));
  EXPECT_THAT(status::FieldViolations(bad.ToStatus()), ElementsAre(Pair("wave", "\"x\", want surveys/*/waves/*")));
}

TEST(Require, QuotesTheBeginningOfALongNameInWholeCharacters) {
  std::string name = "x";  // The 80th byte is in the middle of a character.
  for (int i = 0; i < 100; ++i) name += "ë";
  status::BadRequest bad;
  Require("wave", name, "surveys/*/waves/*", bad);
  EXPECT_THAT(status::FieldViolations(bad.ToStatus()),
              ElementsAre(Pair("wave", "\"" + name.substr(0, 79) + "…\", want surveys/*/waves/*")));
}

TEST(WaveOf, IsTheWaveANameIsBelow) {
  EXPECT_EQ(WaveOf("surveys/s/waves/w"), "surveys/s/waves/w");
  EXPECT_EQ(WaveOf("surveys/s/waves/w/responses/r"), "surveys/s/waves/w");
  for (const char* name : {"", "surveys/s", "surveys/s/waves", "surveys/s/waves/", "surveys/s/questionnaires/q/x", "surveys//waves/w"}) {
    EXPECT_EQ(WaveOf(name), "") << name;
  }
}

TEST(LastId, IsWhatFollowsTheLastSlash) {
  EXPECT_EQ(LastId("surveys/s/waves/w"), "w");
  EXPECT_EQ(LastId("w"), "w");
  EXPECT_EQ(LastId(""), "");
}

TEST(IsDate, IsADayThatExists) {
  for (const char* day : {"2022-03-24", "2024-02-29", "2000-02-29", "0001-01-01"}) EXPECT_TRUE(IsDate(day)) << day;
  for (const char* day : {"", "2022-02-29", "1900-02-29", "2022-13-01", "2022-00-01", "2022-01-32", "2022-1-1", "2022/01/01", "22-01-01",
                          "+022-01-01", "2022-01-+1", "2022-01-01 ", "2022-01-1x"}) {
    EXPECT_FALSE(IsDate(day)) << day;
  }
}

}  // namespace
}  // namespace peiling::names
