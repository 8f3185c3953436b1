#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/status/errors.h"

namespace peiling::csv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Outcome {
  std::vector<Row> rows;
  absl::Status status;
};

Outcome Read(std::string_view text, size_t piece = std::string_view::npos, Limits limits = {}) {
  Outcome out;
  Reader reader(limits);
  while (out.status.ok() && !text.empty()) {
    const size_t size = std::min(piece, text.size());
    out.status = reader.Feed(text.substr(0, size), out.rows);
    text.remove_prefix(size);
  }
  if (out.status.ok()) out.status = reader.Finish(out.rows);
  return out;
}

std::vector<std::vector<std::string>> Fields(const Outcome& out) {
  std::vector<std::vector<std::string>> fields;
  for (const Row& row : out.rows) fields.push_back(row.fields);
  return fields;
}

using Rows = std::vector<std::vector<std::string>>;

struct Good {
  std::string text;
  Rows rows;
};

const std::vector<Good>& GoodFiles() {
  static const auto* const kFiles = new std::vector<Good>{
      {"", {}},
      {"\n\r\n\n", {}},
      {"a,b\n1,2\n", {{"a", "b"}, {"1", "2"}}},
      {"a,b\r\n1,2\r\n", {{"a", "b"}, {"1", "2"}}},
      {"a,b\r1,2\r", {{"a", "b"}, {"1", "2"}}},
      {"a,b\n1,2", {{"a", "b"}, {"1", "2"}}},
      {"a,b\n\n1,2", {{"a", "b"}, {"1", "2"}}},
      {"\xEF\xBB\xBFid\n1\n", {{"id"}, {"1"}}},
      {"\xEF\xBB\xBF\"id\"\n", {{"id"}}},
      {"\xEF\xBB", {{"\xEF\xBB"}}},
      {"\xEF\xBBx", {{"\xEF\xBBx"}}},
      {"a\xEF\xBB\xBF", {{"a\xEF\xBB\xBF"}}},
      {",\n", {{"", ""}}},
      {",,", {{"", "", ""}}},
      {"\"\"\n", {{""}}},
      {"\"\"", {{""}}},
      {"\"a \"\"b\"\" c\",\"x,y\"\n", {{"a \"b\" c", "x,y"}}},
      {"\"a\nb\",c\nd,e\n", {{"a\nb", "c"}, {"d", "e"}}},
      {"\"a\r\nb\",c\r\n", {{"a\r\nb", "c"}}},
      {"\"a\r\"\n", {{"a\r"}}},
      {" a , b \n", {{" a ", " b "}}},
      {"Fryslân,é\n", {{"Fryslân", "é"}}},
  };
  return *kFiles;
}

TEST(Reader, ReadsWhatSurveyToolsWrite) {
  for (const Good& file : GoodFiles()) {
    const Outcome out = Read(file.text);
    EXPECT_TRUE(out.status.ok()) << file.text << out.status;
    EXPECT_EQ(Fields(out), file.rows) << file.text;
  }
}

TEST(Reader, DoesNotCareHowTheFileIsCutUp) {
  for (const Good& file : GoodFiles()) {
    for (size_t piece : {1, 2, 3}) EXPECT_EQ(Fields(Read(file.text, piece)), file.rows) << file.text;
  }
}

TEST(Reader, CountsLinesThroughQuotedOnes) {
  const Outcome out = Read("a\r\n\r\n\"x\r\ny\nz\"\r\nb\n", 1);
  ASSERT_EQ(out.rows.size(), 3u);
  EXPECT_EQ(out.rows[0].line, 1);
  EXPECT_EQ(out.rows[1].line, 3);
  EXPECT_EQ(out.rows[2].line, 6);
}

struct Bad {
  std::string text;
  const char* line;
  const char* column;
  const char* what;
  size_t rows_before;
};

TEST(Reader, SaysLineAndColumnOfWhatIsWrong) {
  const std::vector<Bad> files = {
      {"a,b\nc,d\"e\n", "2", "4", "quote inside", 1},
      {"a\n\"b\"c\n", "2", "4", "after a closing quote", 1},
      {"a\nFryslâ\"\n", "2", "7", "quote inside", 1},
      {"a\n\"x\ny\"z\n", "3", "3", "after a closing quote", 1},
      {"a\r\n\"x\r\ny\"z\r\n", "3", "3", "after a closing quote", 1},
      {"a\nb,\"never\nclosed\n", "2", "3", "never closed", 1},
      {std::string("a\nb\0c\n", 6), "2", "2", "NUL", 1},
      {std::string("\"b\0c\"\n", 6), "1", "3", "NUL", 0},
      {"a\n\"b\" \n", "2", "4", "after a closing quote", 1},
      {"\xEF\xBB\xBF\"b\"x", "1", "4", "after a closing quote", 0},
  };
  for (const Bad& file : files) {
    for (size_t piece : {1, 1000}) {
      const Outcome out = Read(file.text, piece);
      EXPECT_EQ(status::Reason(out.status), "CSV_MALFORMED") << file.text;
      EXPECT_EQ(status::Metadata(out.status)["line"], file.line) << file.text;
      EXPECT_EQ(status::Metadata(out.status)["column"], file.column) << file.text;
      EXPECT_THAT(std::string(out.status.message()), HasSubstr(file.what));
      EXPECT_EQ(out.rows.size(), file.rows_before) << file.text;
    }
  }
}

TEST(Reader, TakesNothingAfterAnError) {
  Reader reader;
  std::vector<Row> rows;
  EXPECT_FALSE(reader.Feed("a\"\n", rows).ok());
  EXPECT_FALSE(reader.Feed("b\n", rows).ok());
  EXPECT_FALSE(reader.Finish(rows).ok());
  EXPECT_TRUE(rows.empty());
}

TEST(Reader, KeepsToItsLimits) {
  const Limits limits{.max_field_bytes = 4, .max_fields = 3, .max_row_bytes = 8};
  EXPECT_TRUE(Read("abcd,efgh\n1,2,3\n", 1, limits).status.ok());
  EXPECT_THAT(std::string(Read("abcde\n", 1, limits).status.message()), HasSubstr("field of more than 4"));
  EXPECT_THAT(std::string(Read("\"abcde\n", 1, limits).status.message()), HasSubstr("line 1, column 6: field of more than 4"));
  EXPECT_THAT(std::string(Read("1,2,3,4\n", 1, limits).status.message()), HasSubstr("more than 3 fields"));
  EXPECT_THAT(std::string(Read("abcd,efgh,i\n", 1, limits).status.message()), HasSubstr("row of more than 8"));
}

TEST(Quote, IsReadBackAsItWas) {
  for (const char* field : {"", "a", "a,b", "\"", "a\"b", "x\ny", "x\r\ny", " a ", "é"}) {
    const Outcome out = Read("first," + Quote(field) + "\n");
    ASSERT_TRUE(out.status.ok());
    EXPECT_THAT(out.rows[0].fields, ElementsAre("first", field));
  }
  EXPECT_EQ(Quote("plain"), "plain");
}

TEST(Table, FindsColumnsByName) {
  const auto table = Table::Parse("code,name,more\nGM1,Urk,x\n\nGM2,\"Ee\",y\n", {"name", "code"});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->size(), 2u);
  EXPECT_EQ(table->at(1, "name"), "Ee");
  EXPECT_EQ(table->line(1), 4);
}

TEST(Table, SaysWhichColumnsAreMissingOrDouble) {
  EXPECT_THAT(std::string(Table::Parse("a,b\n", {"a", "c", "d"}).status().message()), HasSubstr("missing column c, d"));
  EXPECT_THAT(std::string(Table::Parse("", {"a"}).status().message()), HasSubstr("missing column a"));
  EXPECT_THAT(std::string(Table::Parse("a,a\n", {"a"}).status().message()), HasSubstr("twice"));
  const auto ragged = Table::Parse("a,b\n1,2\n1\n", {"a"});
  EXPECT_EQ(status::Reason(ragged.status()), "CSV_COLUMNS");
  EXPECT_EQ(status::Metadata(ragged.status())["line"], "3");
}

TEST(Table, NamesTheFile) {
  EXPECT_EQ(Table::Load("/nowhere/x.csv", {}).status().code(), absl::StatusCode::kNotFound);
  const std::string path = ::testing::TempDir() + "/broken.csv";
  std::ofstream(path) << "a\n\"";
  const absl::Status status = Table::Load(path, {"a"}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr(path + ": line 2, column 1"));
  EXPECT_EQ(status::Reason(status), "CSV_MALFORMED");
}

}  // namespace
}  // namespace peiling::csv
