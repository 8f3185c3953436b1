#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ImportTest : public SuiteTest {
 protected:
  ImportTest() {
    suite_.Answers<intake::v1::ImportResponsesResponse>(
        kImport, {R"(row { line: 2 response: "surveys/teams/waves/2022/responses/101" outcome: IMPORT_OUTCOME_ADDED })",
                  R"(row { line: 3 response: "surveys/teams/waves/2022/responses/102" outcome: IMPORT_OUTCOME_ADDED
                           issues { question: "Q5" code: "misschien" kind: ISSUE_KIND_UNKNOWN_CODE severity: SEVERITY_ERROR message: "Deze keuze bestaat niet." } })",
                  R"(progress { bytes_read: 60 rows: 2 })", Summary("rows: 2 added: 2 with_errors: 1")});
    suite_.Answers<analytics::v1::GetProgressResponse>(AnalyticsMethod("GetProgress"), "");
  }

  static std::string Summary(const std::string& counts) { return absl::StrCat("summary { ", counts, " position { submissions: 7 } }"); }

  const std::string kImport = IntakeMethod("ImportResponses");
  TemporaryFolder folder_;
  const std::string file_ = folder_.Write("export.csv", "id,Q5\n101,ja\n102,misschien\n");
};

TEST_F(ImportTest, SendsTheFileWithItsHeader) {
  EXPECT_EQ(RunCtl(suite_.address(), {"import", file_, "--source", "paper"}).code, 0);
  const auto requests = suite_.Requests<intake::v1::ImportResponsesRequest>(kImport);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].header().parent(), "surveys/teams/waves/2022");
  EXPECT_EQ(requests[0].header().source(), "paper");
  EXPECT_EQ(requests[0].header().content_length(), 27);
  EXPECT_EQ(requests[1].content(), "id,Q5\n101,ja\n102,misschien\n");
}

TEST_F(ImportTest, ALargeFileGoesInPieces) {
  const std::string text(1'500'000, 'x');
  EXPECT_EQ(RunCtl(suite_.address(), {"import", folder_.Write("large.csv", text)}).code, 0);
  std::string received;
  for (const auto& request : suite_.Requests<intake::v1::ImportResponsesRequest>(kImport)) {
    EXPECT_LE(request.content().size(), 1u << 20);
    received += request.content();
  }
  EXPECT_TRUE(received == text);
}

TEST_F(ImportTest, ReadsStandardInput) {
  EXPECT_EQ(RunCtl(suite_.address(), {"import", "-"}, {}, "id\n7\n").code, 0);
  EXPECT_EQ(suite_.Requests<intake::v1::ImportResponsesRequest>(kImport).at(1).content(), "id\n7\n");
}

TEST_F(ImportTest, ShowsFindingsSummaryAndPlainProgress) {
  const Outcome outcome = RunCtl(suite_.address(), {"import", file_});
  EXPECT_EQ(outcome.out,
            "LINE  RESPONSE  QUESTION  ERROR\n"
            "   3  102       Q5        Deze keuze bestaat niet.\n"
            "\n"
            "2 rows into surveys/teams/waves/2022: 2 added, 0 updated, 0 unchanged, 0 refused; 1 with errors, 0 with warnings only\n");
  EXPECT_EQ(outcome.err, absl::StrCat(file_, "  100%  2 rows\n"));
}

TEST_F(ImportTest, WaitsUntilTheTablesCountIt) {
  EXPECT_EQ(RunCtl(suite_.address(), {"import", file_}).code, 0);
  const auto asked = suite_.Requests<analytics::v1::GetProgressRequest>(AnalyticsMethod("GetProgress"));
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].wait_for().submissions(), 7u);
}

TEST_F(ImportTest, SaysWhereTheFeedsStandAsItIsHandedOver) {
  suite_.Answers<intake::v1::ImportResponsesResponse>(kImport,
                                                      "summary { rows: 2 position { submissions: 7 further_submissions: [0, 9] } }");
  EXPECT_THAT(RunCtl(suite_.address(), {"import", file_, "-o", "csv"}).out, HasSubstr("\"7,0,9\""));
  EXPECT_THAT(RunCtl(suite_.address(), {"import", file_, "-o", "json"}).out, HasSubstr("\"furtherSubmissions\""));
}

TEST_F(ImportTest, DoesNotWaitWhenToldNotToNorAfterADryRun) {
  EXPECT_EQ(RunCtl(suite_.address(), {"import", file_, "--no-wait"}).code, 0);
  EXPECT_EQ(RunCtl(suite_.address(), {"import", file_, "--dry-run"}).code, 0);
  EXPECT_TRUE(suite_.Requests<analytics::v1::GetProgressRequest>(AnalyticsMethod("GetProgress")).empty());
}

TEST_F(ImportTest, WhenTheTablesDoNotFollowItSaysThatAllIsStored) {
  suite_.Answers<analytics::v1::GetProgressResponse>(AnalyticsMethod("GetProgress"), {}, true);
  const Outcome outcome = RunCtl(suite_.address(), {"import", file_, "--timeout", "500ms"});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("everything is stored"));
}

TEST_F(ImportTest, TheReportHasALineForEachRowAndFinding) {
  const std::string report = folder_.Path("findings.csv");
  EXPECT_EQ(RunCtl(suite_.address(), {"import", file_, "--report", report}).code, 0);
  EXPECT_EQ(ReadWhole(report),
            "line,response,outcome,severity,question,code,finding,message\n"
            "2,surveys/teams/waves/2022/responses/101,added,,,,,\n"
            "3,surveys/teams/waves/2022/responses/102,added,error,Q5,misschien,unknown-code,Deze keuze bestaat niet.\n");
}

TEST_F(ImportTest, RefusedRowsAreExitCode1) {
  suite_.Answers<intake::v1::ImportResponsesResponse>(
      kImport, {R"(row { line: 2 outcome: IMPORT_OUTCOME_REFUSED message: "Deze rij heeft geen id." })", Summary("rows: 1 refused: 1")});
  const Outcome outcome = RunCtl(suite_.address(), {"import", file_});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("Deze rij heeft geen id."));
}

TEST_F(ImportTest, ABrokenFileIsExitCode4WithLineAndColumn) {
  suite_.Answers<intake::v1::ImportResponsesResponse>(kImport, R"(progress { bytes_read: 13 rows: 1 })");
  suite_.Fails(kImport, status::Error(absl::StatusCode::kInvalidArgument, "EXPORT_MALFORMED", "text after a closing quote",
                                      {{"line", "3"}, {"column", "6"}}));
  const Outcome outcome = RunCtl(suite_.address(), {"import", file_});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err, HasSubstr("error: text after a closing quote (line 3, column 6)\nreason: EXPORT_MALFORMED\n"));
}

TEST_F(ImportTest, AFileThatIsNotThereIsExitCode3AndCallsNobody) {
  const Outcome outcome = RunCtl(suite_.address(), {"import", folder_.Path("nothing.csv")});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("No such file"));
  EXPECT_TRUE(suite_.Requests<intake::v1::ImportResponsesRequest>(kImport).empty());
}

TEST_F(ImportTest, AsJsonTheSummaryAloneIsOnStandardOutput) {
  const Outcome outcome = RunCtl(suite_.address(), {"import", file_, "-o", "json"});
  EXPECT_THAT(outcome.out, HasSubstr("\"submissions\": \"7\""));
  EXPECT_THAT(outcome.out, Not(HasSubstr("Deze keuze")));
}

TEST_F(ImportTest, CtrlCEndsItInOrder) {
  suite_.Answers<intake::v1::ImportResponsesResponse>(kImport, std::vector<std::string>{"progress { bytes_read: 13 rows: 1 }"}, true);
  Program program({PEILINGCTL, "import", file_}, {"PEILING_SERVER=" + suite_.address()});
  for (int i = 0; i < 500 && suite_.Requests<intake::v1::ImportResponsesRequest>(kImport).empty(); ++i) usleep(10'000);
  program.Signal(SIGINT);
  const Outcome outcome = program.Wait();
  EXPECT_EQ(outcome.code, 130);
  EXPECT_THAT(outcome.err, HasSubstr("import the file again to go on"));
}

TEST_F(ImportTest, OnATerminalItShowsABar) {
  const Outcome outcome = RunCtlOnTerminal(suite_.address(), {"import", file_}, 100);
  EXPECT_THAT(outcome.out, HasSubstr("[████████████████████████] 100%  2 rows"));
}

}  // namespace
}  // namespace peiling::ctl::testing
