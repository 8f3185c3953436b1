// Any bytes: the reader neither crashes nor hangs, gives the same rows however the bytes are cut up, and rows written again are read back
// as they were.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/status/errors.h"
#include "tests/fuzz/mutate.h"

namespace peiling::csv {
namespace {

struct Outcome {
  std::vector<std::vector<std::string>> rows;
  std::vector<int64_t> lines;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

Outcome Read(std::string_view text, size_t piece) {
  Reader reader({.max_field_bytes = 300, .max_fields = 40, .max_row_bytes = 1000});
  std::vector<Row> rows;
  absl::Status status;
  while (status.ok() && !text.empty()) {
    status = reader.Feed(text.substr(0, piece), rows);
    text.remove_prefix(std::min(piece, text.size()));
  }
  if (status.ok()) status = reader.Finish(rows);
  Outcome out{.rows = {}, .lines = {}, .error = std::string(status.message())};
  for (Row& row : rows) {
    out.lines.push_back(row.line);
    out.rows.push_back(std::move(row.fields));
  }
  return out;
}

std::string Write(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + Quote(row[i]);
    // An empty field alone would be a blank line.
    if (row.size() == 1 && row[0].empty()) text += "\"\"";
    text += "\r\n";
  }
  return text;
}

TEST(CsvFuzz, HoldsForAnyBytes) {
  const std::vector<std::string> corpus = {
      "id,Q3,Q12[other]\n1,Urk,\"anders, namelijk \"\"dit\"\"\"\n2,,\n",
      "\xEF\xBB\xBF\"id\",\"naam\"\r\n\"1\",\"Súdwest-Fryslân\"\r\n\r\n\"2\",\"twee\r\nregels\"\r\n",
      "a\rb\rc",
      "\"never closed",
      ",,,\n\"\"\n",
  };
  fuzz::Mutator mutator(20220324, {"\"", "\"\"", ",", "\n", "\r\n", "\r", "\xEF\xBB\xBF", std::string(1, '\0'), std::string(200, 'x')});
  fuzz::Run(corpus, std::move(mutator), [](const std::string& text) {
    const Outcome whole = Read(text, text.size() + 1);
    ASSERT_EQ(Read(text, 1), whole);
    ASSERT_EQ(Read(text, 7), whole);
    for (const auto& row : whole.rows) ASSERT_FALSE(row.empty());
    // A field that begins the file with the bytes of a byte order mark would be taken for one.
    const std::string written = "first\r\n" + Write(whole.rows);
    const Outcome again = Read(written, written.size());
    ASSERT_EQ(again.error, "");
    ASSERT_EQ(std::vector(again.rows.begin() + 1, again.rows.end()), whole.rows);
  });
}

}  // namespace
}  // namespace peiling::csv
