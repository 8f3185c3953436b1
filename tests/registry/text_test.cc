#include <string>

#include "gtest/gtest.h"
#include "services/common/text/fold.h"

namespace peiling::text {
namespace {

struct Case {
  const char* text;
  const char* folded;
};

TEST(Fold, MakesSpellingsComparable) {
  const Case kCases[] = {
      {"", ""},
      {"Súdwest-Fryslân ", "sudwest fryslan"},
      {"'s-Gravenhage", "s gravenhage"},
      {"\u2019s\u2011Gravenhage", "s gravenhage"},
      {"  Alphen   a/d  Rijn ", "alphen a d rijn"},
      {"Bergen (NH.)", "bergen nh"},
      {"\u0132SSELSTEIN", "ijsselstein"},
      {"Cafe\u0301", "cafe"},
      {"Stra\u00dfe", "strasse"},
      {"Zoeter\u00admeer", "zoetermeer"},
      {"\ufeffUrk\u200b", "urk"},
      {"\u00a0Urk\u3000", "urk"},
      {"2022-03-24", "2022 03 24"},
      {"---", ""},
      {"\uff21\uff22", "ab"},
      {"Ἀθῆναι", "αθηναι"},
  };
  for (const Case& c : kCases) EXPECT_EQ(Fold(c.text), c.folded) << c.text;
}

TEST(Fold, TakesInvalidBytesAsPunctuation) {
  EXPECT_EQ(Fold("a\xff"
                 "b"),
            "a b");
  EXPECT_EQ(Fold("\xc3"), "");
  EXPECT_EQ(Fold("a\xed\xa0\x80"
                 "b"),
            "a b");
}

TEST(Fold, ChangesNothingTheSecondTime) {
  for (const char* text : {"Súdwest-Fryslân", "ǅ", "ﬁ", "İ", "ẞ", "½", "Ǆ", "ͅ"}) EXPECT_EQ(Fold(Fold(text)), Fold(text)) << text;
}

TEST(IsValidUtf8, KnowsGoodFromBad) {
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8("Fryslân €"));
  EXPECT_TRUE(IsValidUtf8("\U0001F600"));
  for (const char* text : {"\xff", "\xc3", "a\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "Frysl\xe2n"})
    EXPECT_FALSE(IsValidUtf8(text));
}

TEST(DisplayWidth, CountsColumns) {
  EXPECT_EQ(DisplayWidth(""), 0);
  EXPECT_EQ(DisplayWidth("Urk"), 3);
  EXPECT_EQ(DisplayWidth("Fryslân"), 7);
  EXPECT_EQ(DisplayWidth("Frysla\u0302n"), 7);
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(DisplayWidth("█░"), 2);
  EXPECT_EQ(DisplayWidth("a\xff"), 2);
}

}  // namespace
}  // namespace peiling::text
