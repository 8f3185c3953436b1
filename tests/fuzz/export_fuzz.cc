// Any file: the reader of exports neither crashes nor hangs, gives the same rows and the same error however the file is cut up, and
// accounts for every row: named or refused, never two of one name.
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/intake/export_reader.h"
#include "tests/fuzz/mutate.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

struct ReadOutcome {
  std::vector<std::string> rows;
  std::string error;
  bool operator==(const ReadOutcome&) const = default;
};

void CheckRow(const ExportRow& row, std::set<std::string>& ids) {
  EXPECT_NE(row.id.empty(), row.refusal.empty());
  if (row.id.empty()) return;
  EXPECT_TRUE(names::IsId(row.id)) << row.id;
  EXPECT_TRUE(ids.insert(row.id).second) << row.id << " twice";
  EXPECT_TRUE(row.response.state() == v1::RESPONSE_STATE_STARTED || row.response.state() == v1::RESPONSE_STATE_SUBMITTED);
  std::string bytes;
  EXPECT_TRUE(row.response.SerializeToString(&bytes)) << "only UTF-8 gets in";
}

ReadOutcome Read(const std::string& file, size_t piece) {
  static const auto& questionnaire = *new auto(PollQuestionnaire());
  ExportReader reader(questionnaire, "s");
  std::vector<ExportRow> rows;
  absl::Status status;
  for (size_t at = 0; at < file.size() && status.ok(); at += piece) status = reader.Feed(std::string_view(file).substr(at, piece), rows);
  if (status.ok()) status = reader.Finish(rows);
  if (!status.ok()) {
    EXPECT_THAT(status::Reason(status), ::testing::AnyOf("EXPORT_COLUMNS", "EXPORT_MALFORMED", "EXPORT_ENCODING"));
  }
  ReadOutcome outcome{.rows = {}, .error = std::string(status.message())};
  std::set<std::string> ids;
  for (const ExportRow& row : rows) {
    CheckRow(row, ids);
    outcome.rows.push_back(absl::StrCat(row.line, " ", row.id, " ", row.refusal, " ", row.response.ShortDebugString()));
  }
  return outcome;
}

TEST(ExportFuzz, EveryFileIsReadTheSameHoweverItComes) {
  const std::vector<std::string> corpus = {
      ExportOf(3), std::string(kHeader) + "\n",
      std::string(kHeader) + "\n7,2022-03-27 02:30:00,2022-10-30 02:10:00,1980-01-01 00:00:00,3,nl,Ann,\"a, \"\"b\"\"\r\nc\",S\xC3\xBA" +
          "dwest,-oth-,dorp,uitleg,Y,N,fax,3.5,2022-10-01 00:00:00,ja,nee,ja,a@b.nl\n"};
  fuzz::Mutator mutator(20240321,
                        {",", "\"", "\r\n", "\n", "-oth-", "Y", "\xEF\xBB\xBF", "\xC3\xBA", "\xFF", "2022-03-27 02:30:00", "1,,,,,"});
  fuzz::Mutator pieces(7);
  fuzz::Run(corpus, std::move(mutator),
            [&pieces](const std::string& file) { EXPECT_EQ(Read(file, file.size() + 1), Read(file, 1 + pieces.Below(50))); });
}

}  // namespace
}  // namespace peiling::intake
