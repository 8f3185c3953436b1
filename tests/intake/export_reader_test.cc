#include "services/intake/export_reader.h"

#include <map>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/time_util.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::google::protobuf::util::TimeUtil;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

struct ReadOutcome {
  std::vector<ExportRow> rows;
  absl::Status status;
};

ReadOutcome Read(const std::string& file, const std::string& source = "", size_t piece = 1 << 20) {
  ExportReader reader(PollQuestionnaire(), source);
  ReadOutcome outcome;
  for (size_t at = 0; at < file.size() && outcome.status.ok(); at += piece) {
    outcome.status = reader.Feed(std::string_view(file).substr(at, piece), outcome.rows);
  }
  if (outcome.status.ok()) outcome.status = reader.Finish(outcome.rows);
  return outcome;
}

// A row in which only these columns are filled, beside an id.
std::string RowOf(const std::map<std::string, std::string>& values) {
  std::vector<std::string> fields;
  for (const auto& column : absl::StrSplit(kHeader, ',')) {
    const auto found = values.find(std::string(column.data(), column.size()));
    fields.push_back(found != values.end() ? csv::Quote(found->second) : column == "id" ? "7" : "");
  }
  return absl::StrJoin(fields, ",") + "\n";
}

std::string FileOf(const std::string& rows) { return std::string(kHeader) + "\n" + rows; }

ExportRow ReadOne(const std::map<std::string, std::string>& values) {
  ReadOutcome outcome = Read(FileOf(RowOf(values)));
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.rows.size(), 1u);
  return outcome.rows.at(0);
}

struct ValueCase {
  std::map<std::string, std::string> values;
  std::string answers;
};

class ExportValueTest : public ::testing::TestWithParam<ValueCase> {};

TEST_P(ExportValueTest, BecomesAnAnswer) {
  survey::v1::Answers want;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(GetParam().answers, &want)) << GetParam().answers;
  const ExportRow row = ReadOne(GetParam().values);
  EXPECT_EQ(row.response.answers().DebugString(), want.DebugString());
  EXPECT_THAT(row.response.issues(), IsEmpty()) << "answers are validation's to judge";
}

INSTANTIATE_TEST_SUITE_P(
    Values, ExportValueTest,
    ::testing::Values(ValueCase{{}, ""}, ValueCase{{{"Q3", "  \t"}}, ""},
                      ValueCase{{{"Q3", "Ede,\n\"oost\""}}, R"pb(answers { question: "Q3" text: "Ede,\n\"oost\"" })pb"},
                      ValueCase{{{"Q4", "wijk"}}, R"pb(answers {
                                                         question: "Q4"
                                                         selection { codes: "wijk" }
                                                       })pb"},
                      ValueCase{{{"Q4", "kanaal"}}, R"pb(answers {
                                                           question: "Q4"
                                                           selection { codes: "kanaal" }
                                                         })pb"},
                      ValueCase{{{"Q4", "-oth-"}, {"Q4[other]", "dorp"}}, R"pb(answers {
                                                                                 question: "Q4"
                                                                                 selection { codes: "anders" other_text: "dorp" }
                                                                               })pb"},
                      ValueCase{{{"Q4[other]", "dorp"}}, R"pb(answers {
                                                                question: "Q4"
                                                                selection { other_text: "dorp" }
                                                              })pb"},
                      ValueCase{{{"Q4", "stad"}, {"Q4[comment]", "groot"}}, R"pb(answers {
                                                                                   question: "Q4"
                                                                                   selection { codes: "stad" comment: "groot" }
                                                                                 })pb"},
                      ValueCase{{{"Q9", "-oth-"}}, R"pb(answers {
                                                          question: "Q9"
                                                          selection { codes: "-oth-" }
                                                        })pb"},
                      ValueCase{{{"Q5[post]", "Y"}, {"Q5[loket]", "Y"}}, R"pb(answers {
                                                                                question: "Q5"
                                                                                selection { codes: "loket" codes: "post" }
                                                                              })pb"},
                      ValueCase{{{"Q5[post]", "N"}, {"Q5[loket]", "N"}}, ""},
                      ValueCase{{{"Q5[post]", "Ja"}}, R"pb(answers {
                                                             question: "Q5"
                                                             selection { codes: "post=Ja" }
                                                           })pb"},
                      ValueCase{{{"Q5[other]", "fax"}, {"Q5[post]", "Y"}},
                                R"pb(answers {
                                       question: "Q5"
                                       selection { codes: "post" codes: "anders" other_text: "fax" }
                                     })pb"},
                      ValueCase{{{"Q6", "3.0000000000"}}, R"pb(answers { question: "Q6" number: 3 })pb"},
                      ValueCase{{{"Q6", "0"}}, R"pb(answers { question: "Q6" number: 0 })pb"},
                      ValueCase{{{"Q6", "drie"}}, R"pb(answers { question: "Q6" text: "drie" })pb"},
                      ValueCase{{{"Q6", "nan"}}, R"pb(answers { question: "Q6" text: "nan" })pb"},
                      ValueCase{{{"Q7", "2022-10-01"}}, R"pb(answers { question: "Q7" date: "2022-10-01" })pb"},
                      ValueCase{{{"Q7", "2022-10-01 00:00:00"}}, R"pb(answers { question: "Q7" date: "2022-10-01" })pb"},
                      ValueCase{{{"Q7", "2022-10-01 morgen"}}, R"pb(answers { question: "Q7" date: "2022-10-01 morgen" })pb"},
                      ValueCase{{{"Q7", "1 oktober"}}, R"pb(answers { question: "Q7" date: "1 oktober" })pb"},
                      ValueCase{{{"Q8[vo]", "nee"}, {"Q8[po]", "weet niet"}},
                                R"pb(answers {
                                       question: "Q8"
                                       grid {
                                         cells { row: "po" option: "weet niet" }
                                         cells { row: "vo" option: "nee" }
                                       }
                                     })pb"}));

TEST(ExportReaderTest, ReadsWhatIsKnownAboutTheResponse) {
  const ExportRow row = ReadOne({{"id", "101"},
                                 {"startdate", "2022-09-05 05:01:35"},
                                 {"datestamp", "2022-12-05 05:18"},
                                 {"submitdate", "2022-12-05T05:18:35"},
                                 {"lastpage", "19"},
                                 {"startlanguage", "nl"}});
  EXPECT_EQ(row.line, 2);
  EXPECT_EQ(row.id, "101");
  EXPECT_EQ(row.response.state(), v1::RESPONSE_STATE_SUBMITTED);
  EXPECT_EQ(TimeUtil::ToString(row.response.started_at()), "2022-09-05T03:01:35Z") << "summer time";
  EXPECT_EQ(TimeUtil::ToString(row.response.updated_at()), "2022-12-05T04:18:00Z") << "winter time";
  EXPECT_EQ(TimeUtil::ToString(row.response.submitted_at()), "2022-12-05T04:18:35Z");
  EXPECT_EQ(row.response.last_section(), 19);
  EXPECT_EQ(row.response.language(), "nl");
  EXPECT_THAT(row.response.issues(), IsEmpty());
}

TEST(ExportReaderTest, ARowWithoutSubmitdateWasNotSubmitted) {
  const ExportRow row = ReadOne({});
  EXPECT_EQ(row.response.state(), v1::RESPONSE_STATE_STARTED);
  EXPECT_FALSE(row.response.has_started_at() || row.response.has_updated_at() || row.response.has_submitted_at());
}

TEST(ExportReaderTest, ASubmitdateOf1980SaysSubmittedAtAnUnknownTime) {
  const ExportRow row = ReadOne({{"submitdate", "1980-01-01 00:00:00"}});
  EXPECT_EQ(row.response.state(), v1::RESPONSE_STATE_SUBMITTED);
  EXPECT_FALSE(row.response.has_submitted_at());
}

TEST(ExportReaderTest, ReadsTimesWhenClocksChange) {
  // Forward at 02:00 on 27 March: 02:30 did not exist. Back at 03:00 on 30 October: 02:10 came twice.
  EXPECT_EQ(TimeUtil::ToString(ReadOne({{"startdate", "2022-03-27 02:30:00"}}).response.started_at()), "2022-03-27T01:30:00Z");
  EXPECT_EQ(TimeUtil::ToString(ReadOne({{"startdate", "2022-10-30 02:10:00"}}).response.started_at()), "2022-10-30T00:10:00Z");
  const ExportRow row = ReadOne({{"startdate", "2022-10-30 02:50:00"}, {"datestamp", "2022-10-30 02:10:00"}});
  EXPECT_EQ(TimeUtil::ToString(row.response.updated_at()), "2022-10-30T01:10:00Z") << "the second 02:10, after the start";
}

TEST(ExportReaderTest, ReadsTimesByTheStartWhateverTheOrderOfColumns) {
  const std::string header =
      Replaced(Replaced(kHeader, "startdate,datestamp,submitdate,", "submitdate,datestamp,"), ",Q1,", ",startdate,Q1,");
  const std::string row = "1,2022-10-30 02:10:00,2022-10-30 02:20:00,,,2022-10-30 02:50:00" + std::string(15, ',');
  const ReadOutcome outcome = Read(header + "\n" + row + "\n");
  ASSERT_EQ(outcome.rows.size(), 1u) << outcome.status;
  EXPECT_EQ(TimeUtil::ToString(outcome.rows[0].response.started_at()), "2022-10-30T00:50:00Z");
  EXPECT_EQ(TimeUtil::ToString(outcome.rows[0].response.submitted_at()), "2022-10-30T01:10:00Z");
  EXPECT_EQ(TimeUtil::ToString(outcome.rows[0].response.updated_at()), "2022-10-30T01:20:00Z");
}

TEST(ExportReaderTest, ATimeThatNoTimestampHoldsIsReported) {
  for (const char* time : {"-5-01-01 00:00:00", "0000-00-00 00:00:00", "0001-01-01 00:00:00", "300000-01-01 00:00:00"}) {
    const ExportRow row = ReadOne({{"startdate", time}});
    EXPECT_FALSE(row.response.has_started_at()) << time;
    EXPECT_EQ(row.response.issues_size(), 1) << time;
  }
}

TEST(ExportReaderTest, RefusesARowTooLargeForTheFeed) {
  const std::string half(600'000, 'x');
  const ReadOutcome outcome = Read(FileOf(RowOf({{"id", "1"}, {"Q1", half}, {"Q2", half}}) + RowOf({{"id", "2"}, {"Q1", half}})));
  ASSERT_EQ(outcome.rows.size(), 2u) << outcome.status;
  EXPECT_THAT(outcome.rows[0].refusal, ::testing::HasSubstr("te groot"));
  EXPECT_EQ(outcome.rows[0].id, "");
  EXPECT_EQ(outcome.rows[0].response.ByteSizeLong(), 0u);
  EXPECT_EQ(outcome.rows[1].refusal, "");
}

TEST(ExportReaderTest, ReportsValuesThatHaveNoPlace) {
  const ExportRow row =
      ReadOne({{"startdate", "gisteren"}, {"submitdate", "31-12-2022"}, {"lastpage", "-3"}, {"startlanguage", std::string(40, 'x')}});
  EXPECT_EQ(row.response.state(), v1::RESPONSE_STATE_SUBMITTED) << "it has a submitdate, whatever it says";
  std::vector<std::string> columns;
  for (const auto& issue : row.response.issues()) {
    columns.push_back(issue.code());
    EXPECT_EQ(issue.severity(), validation::v1::SEVERITY_ERROR);
    EXPECT_THAT(issue.message(), ::testing::Not(::testing::HasSubstr("gisteren")));
  }
  EXPECT_THAT(columns, ElementsAre("startdate", "submitdate", "lastpage", "startlanguage"));
}

TEST(ExportReaderTest, RefusesRowsThatCannotBeNamed) {
  const ReadOutcome outcome =
      Read(FileOf(RowOf({{"id", ""}}) + RowOf({{"id", "5"}}) + RowOf({{"id", "a/b"}}) + RowOf({{"id", "5"}}) + RowOf({{"id", "6"}})));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  std::vector<std::string> ids, refused;
  for (const ExportRow& row : outcome.rows) (row.refusal.empty() ? ids : refused).push_back(row.refusal.empty() ? row.id : row.refusal);
  EXPECT_THAT(ids, ElementsAre("5", "6"));
  EXPECT_THAT(refused,
              ElementsAre(::testing::HasSubstr("geen id"), ::testing::HasSubstr("geldige naam"), ::testing::HasSubstr("al eerder")));
}

TEST(ExportReaderTest, PutsTheSourceBeforeIdsSoThatNoOtherSourceHasTheSame) {
  const auto id_of = [](const std::string& source, const std::string& id) {
    return Read(FileOf(RowOf({{"id", id}})), source).rows.at(0).id;
  };
  EXPECT_EQ(id_of("panel", "5"), "panel~5");
  EXPECT_NE(id_of("panel", "2-5"), id_of("panel-2", "5"));
  EXPECT_EQ(id_of("", "panel~5"), "") << "it is refused";
}

TEST(ExportReaderTest, ReadsOverColumnsThatTellWhoSomebodyIs) {
  ExportReader reader(PollQuestionnaire(), "");
  std::vector<ExportRow> rows;
  std::string row = RowOf({});
  row.pop_back();
  ASSERT_TRUE(reader.Feed(std::string(kHeader) + ",ipaddr,token\n" + row + ",10.1.2.3,geheim\n", rows).ok());
  EXPECT_THAT(reader.unread_columns(), ElementsAre("ipaddr", "token"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_THAT(rows[0].response.DebugString(), ::testing::Not(::testing::ContainsRegex("10.1.2.3|geheim")));
}

TEST(ExportReaderTest, NamesEveryWrongColumn) {
  std::string header = kHeader;
  header = Replaced(header, ",Q3,", ",Q33,");
  header = Replaced(header, "Q8[po]", "Q8[vo]");
  const ReadOutcome outcome = Read(header + "\n" + RowOf({}));
  EXPECT_EQ(status::Reason(outcome.status), "EXPORT_COLUMNS");
  EXPECT_THAT(status::FieldViolations(outcome.status),
              UnorderedElementsAre(Pair("Q33", ::testing::HasSubstr("no column")), Pair("Q8[vo]", ::testing::HasSubstr("more than once")),
                                   Pair("Q3", ::testing::HasSubstr("missing")), Pair("Q8[po]", ::testing::HasSubstr("missing"))));
  EXPECT_THAT(outcome.rows, IsEmpty());
}

TEST(ExportReaderTest, AnEmptyFileMissesEveryColumn) {
  EXPECT_EQ(status::Reason(Read("").status), "EXPORT_COLUMNS");
  EXPECT_EQ(status::Reason(Read("\n\n").status), "EXPORT_COLUMNS");
}

TEST(ExportReaderTest, ColumnsAboutTheResponseMayBeLeftOut) {
  std::string header = Replaced(kHeader, "startdate,datestamp,submitdate,lastpage,startlanguage,", "submitdate,");
  EXPECT_TRUE(Read(header + "\n").status.ok());
}

struct BrokenCase {
  std::string name;
  std::string file;
  std::string reason;
  std::string line;
  std::string column;
  size_t rows_before;
};

class BrokenExportTest : public ::testing::TestWithParam<BrokenCase> {};

TEST_P(BrokenExportTest, SaysWhereAfterGivingWhatStandsBefore) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1} << 20}) {
    ReadOutcome outcome = Read(GetParam().file, "", piece);
    EXPECT_EQ(status::Reason(outcome.status), GetParam().reason) << outcome.status;
    auto metadata = status::Metadata(outcome.status);
    EXPECT_EQ(metadata["line"], GetParam().line) << "piece " << piece;
    EXPECT_EQ(metadata["column"], GetParam().column) << "piece " << piece;
    EXPECT_EQ(outcome.rows.size(), GetParam().rows_before) << "piece " << piece;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, BrokenExportTest,
                         ::testing::Values(BrokenCase{"open_quote", FileOf(RowOf({}) + "8,\"2022"), "EXPORT_MALFORMED", "3", "3", 1},
                                           BrokenCase{"quote_inside", FileOf(RowOf({}) + "8,20\"22\n"), "EXPORT_MALFORMED", "3", "5", 1},
                                           BrokenCase{"too_few_fields", FileOf(RowOf({}) + RowOf({{"id", "8"}}) + "9,\n"),
                                                      "EXPORT_MALFORMED", "4", "1", 2},
                                           BrokenCase{"latin1",
                                                      FileOf(RowOf({{"Q3",
                                                                     "S\xC3\xBA"
                                                                     "dwest"}}) +
                                                             "8,\xC3\xBA S\xFA\n"),
                                                      "EXPORT_ENCODING", "3", "6", 1},
                                           BrokenCase{"cut_character", FileOf(RowOf({}) + "8,\xC3"), "EXPORT_ENCODING", "3", "3", 1},
                                           BrokenCase{"utf16", std::string("\xFF\xFEi\0d\0", 6), "EXPORT_ENCODING", "1", "1", 0}),
                         [](const auto& info) { return info.param.name; });

TEST(ExportReaderTest, IsTheSameHoweverTheFileIsCut) {
  const std::string file = "\xEF\xBB\xBF" + FileOf(RowOf({{"Q3", "Súdwest-Fryslân"}}) + RowOf({{"id", "8"}, {"Q2", "a\r\nb,\"c\""}}));
  const ReadOutcome whole = Read(file);
  ASSERT_TRUE(whole.status.ok()) << whole.status;
  for (size_t piece = 1; piece < 20; ++piece) {
    const ReadOutcome cut = Read(file, "", piece);
    ASSERT_TRUE(cut.status.ok()) << cut.status;
    ASSERT_EQ(cut.rows.size(), 2u);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(cut.rows[i].response.DebugString(), whole.rows[i].response.DebugString());
  }
}

}  // namespace
}  // namespace peiling::intake
