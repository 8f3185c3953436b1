#include "services/ctl/output/table_printer.h"

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "services/common/text/fold.h"

namespace peiling::ctl {
namespace {

Table Municipalities() {
  Table table({{"CODE"}, {"NAME", Align::kLeft, true}, {"INHABITANTS", Align::kRight}});
  table.Add({"GM1900", "Súdwest-Fryslân", int64_t{90126}});
  table.Add({"GM0363", "Amsterdam", int64_t{872680}});
  return table;
}

TEST(TableTest, ColumnsLineUpByWidthOnScreenNotByBytes) {
  EXPECT_EQ(Municipalities().ToText({}),
            "CODE    NAME             INHABITANTS\n"
            "GM1900  Súdwest-Fryslân        90126\n"
            "GM0363  Amsterdam             872680\n");
}

TEST(TableTest, FitsTheTerminalByShorteningTextAloneNeverNumbers) {
  EXPECT_EQ(Municipalities().ToText({.width = 31}),
            "CODE    NAME        INHABITANTS\n"
            "GM1900  Súdwest-F…        90126\n"
            "GM0363  Amsterdam        872680\n");
}

TEST(TableTest, NoLineIsWiderThanTheTerminalWhileTextCanGiveWay) {
  for (int width = 29; width < 60; ++width) {
    const std::string text = Municipalities().ToText({.width = width});
    for (const auto line : absl::StrSplit(text, '\n')) EXPECT_LE(text::DisplayWidth({line.data(), line.size()}), width);
  }
}

TEST(TableTest, TheWidestColumnGivesWayFirst) {
  Table table({{"A", Align::kLeft, true}, {"B", Align::kLeft, true}});
  table.Add({std::string(30, 'a'), std::string(10, 'b')});
  EXPECT_EQ(table.ToText({.width = 22}), "A           B\naaaaaaaaa…  bbbbbbbbbb\n");
}

TEST(TableTest, AColumnThatWrapsGoesOnBelow) {
  Table table({{"RESPONSE"}, {"REASON", Align::kLeft, true, true}, {"N", Align::kRight}});
  table.Add({"101", "Van een collega is er ook een", int64_t{13}});
  table.Add({"102", "Kort", int64_t{7}});
  EXPECT_EQ(table.ToText({.width = 28}),
            "RESPONSE  REASON           N\n"
            "101       Van een         13\n"
            "          collega is er\n"
            "          ook een\n"
            "102       Kort             7\n");
  EXPECT_EQ(table.ToCsv(), "response,reason,n\n101,Van een collega is er ook een,13\n102,Kort,7\n");
}

TEST(TableTest, NoBlanksAtLineEnds) {
  Table table({{"A"}, {"B"}});
  table.Add({"long text", ""});
  table.Add({"x", "y"});
  EXPECT_EQ(table.ToText({}), "A          B\nlong text\nx          y\n");
}

TEST(TableTest, HeadingsStandAboveTheirRowsAndNotInCsv) {
  Table table({{"CODE"}, {"SIZE CLASS"}});
  table.AddHeading("Utrecht");
  table.Add({"GM0344", "200k-and-over"});
  table.AddHeading("Zeeland");
  table.Add({"GM0687", "under-50k"});
  EXPECT_EQ(table.ToText({}), "CODE    SIZE CLASS\nUtrecht\nGM0344  200k-and-over\n\nZeeland\nGM0687  under-50k\n");
  EXPECT_EQ(table.ToCsv(), "code,size_class\nGM0344,200k-and-over\nGM0687,under-50k\n");
}

TEST(TableTest, CsvQuotesWhatMustBeQuotedAndKeepsTextAsItIs) {
  Table table({{"REASON", Align::kLeft, true}});
  table.Add({"naam komt \"twee\" keer voor, nagevraagd\nbij de gemeente"});
  EXPECT_EQ(table.ToCsv(), "reason\n\"naam komt \"\"twee\"\" keer voor, nagevraagd\nbij de gemeente\"\n");
}

TEST(TableTest, MissingCellsAreEmpty) {
  Table table({{"A"}, {"B"}});
  table.Add({"x"});
  EXPECT_EQ(table.ToCsv(), "a,b\nx,\n");
}

TEST(TableTest, TextFromElsewhereCannotSteerTheTerminal) {
  Table table({{"TEXT"}});
  table.Add({"\x1b[31mrood\x1b[0m"});
  EXPECT_EQ(table.ToText({}).find('\x1b'), std::string::npos);
}

TEST(TableTest, ColoursDoNotCountForWidth) {
  Table table({{"A"}, {"B"}});
  table.Add({Cell("x", Style::kGood), "y"});
  EXPECT_EQ(table.ToText({.colour = true}), "\x1b[2mA\x1b[0m  \x1b[2mB\x1b[0m\n\x1b[32mx\x1b[0m  y\n");
}

}  // namespace
}  // namespace peiling::ctl
