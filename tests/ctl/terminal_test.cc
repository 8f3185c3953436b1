#include "services/ctl/output/terminal.h"

#include "gtest/gtest.h"
#include "services/common/text/fold.h"

namespace peiling::ctl {
namespace {

TEST(PrintableTest, WhatCouldWriteElsewhereOnTheScreenBecomesBlank) {
  EXPECT_EQ(Printable("een\x1b[2Jtwee"), "een [2Jtwee");
  EXPECT_EQ(Printable("een\ntwee\tdrie\x7f"), "een twee drie ");
  EXPECT_EQ(Printable("a\u202eb\u2066c\u0085d"), "a b c d");
}

TEST(PrintableTest, BytesThatAreNotUtf8AreMarked) { EXPECT_EQ(Printable("Frysl\xe2n"), "Frysl\uFFFDn"); }

TEST(PrintableTest, DutchStaysAsItIs) { EXPECT_EQ(Printable("Súdwest-Fryslân, 's-Gravenhage"), "Súdwest-Fryslân, 's-Gravenhage"); }

TEST(ShortenTest, WhatFitsStaysAndTheRestIsCutWithADot) {
  EXPECT_EQ(Shorten("Amsterdam", 9), "Amsterdam");
  EXPECT_EQ(Shorten("Amsterdam", 8), "Amsterd…");
  EXPECT_EQ(Shorten("Súdwest-Fryslân", 5), "Súdw…");
  EXPECT_EQ(Shorten("De Bilt", 4), "De…");
}

TEST(ShortenTest, NeverWiderThanAsked) {
  for (const std::string text : {"Súdwest-Fryslân", "東京都庁", "e\u0301e\u0301e\u0301e\u0301"}) {
    for (int width = 1; width < 12; ++width) EXPECT_LE(text::DisplayWidth(Shorten(text, width)), width) << text << " in " << width;
  }
}

TEST(WrapTest, BreaksAtSpacesAndIndents) {
  EXPECT_EQ(Wrap("een twee drie vier", 10, 2), "een twee\n  drie\n  vier");
  EXPECT_EQ(Wrap("een twee", 9, 2), "een\n  twee");
  EXPECT_EQ(Wrap("een twee drie", 0, 2), "een twee drie");
  EXPECT_EQ(Wrap("onafscheidelijk kort", 6, 0), "onafscheidelijk\nkort");
}

TEST(StyledTest, ColoursOnlyWhereTheyAreWanted) {
  EXPECT_EQ(Styled("x", Style::kBad, {.colour = false}), "x");
  EXPECT_EQ(Styled("x", Style::kBad, {.colour = true}), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(Styled("x", Style::kPlain, {.colour = true}), "x");
}

}  // namespace
}  // namespace peiling::ctl
