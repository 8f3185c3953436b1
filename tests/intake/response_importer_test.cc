#include "services/intake/response_importer.h"

#include <set>
#include <thread>

#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ResponseImporterTest : public ::testing::Test {
 protected:
  void SetUp() override { rooms_.Apply(); }

  std::vector<std::string> AllResponses() {
    std::vector<std::string> responses;
    for (const auto& document : Must(store_->List(kWaveName, "response/", "", 10'000))) responses.push_back(document.value);
    return responses;
  }
  v1::Response Get(const std::string& id) { return rooms_.responses.Get(std::string(kWaveName) + "/responses/" + id, 1)->response; }

  std::unique_ptr<storage::Store> store_ = MemoryStore();
  Rooms rooms_{*store_};
};

TEST_F(ResponseImporterTest, TakesInAFileInGroups) {
  const std::string file = ExportOf(150);
  v1::ImportHeader header;
  header.set_content_length(static_cast<int64_t>(file.size()));
  const ImportOutcome outcome = RunImport(rooms_, file, header);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.summary.rows(), 150);
  EXPECT_EQ(outcome.summary.added(), 150);
  EXPECT_EQ(outcome.summary.position().submissions(), 150u);
  ASSERT_EQ(outcome.rows.size(), 150u);
  EXPECT_EQ(outcome.rows[0].line(), 2);
  EXPECT_EQ(outcome.rows[149].response(), std::string(kWaveName) + "/responses/150");
  ASSERT_EQ(outcome.progress.size(), 3u);
  EXPECT_EQ(outcome.progress[0].rows(), 64);
  EXPECT_EQ(outcome.progress[2].bytes_read(), static_cast<int64_t>(file.size()));
  EXPECT_THAT(rooms_.validation.calls(), ::testing::ElementsAre(64, 64, 64, 22)) << "the first call is repeated with the questionnaire";
  const v1::Response response = Get("7");
  EXPECT_EQ(response.state(), v1::RESPONSE_STATE_STARTED);
  EXPECT_EQ(response.respondent_key().size(), 32u);
  EXPECT_EQ(response.answers().answers(0).text(), "Gemeente 7");
}

TEST_F(ResponseImporterTest, TheSameFileTwiceAddsNothing) {
  ASSERT_TRUE(RunImport(rooms_, ExportOf(100)).status.ok());
  const auto feed = rooms_.Feed();
  const auto responses = AllResponses();
  const ImportOutcome again = RunImport(rooms_, ExportOf(100));
  ASSERT_TRUE(again.status.ok());
  EXPECT_EQ(again.summary.unchanged(), 100);
  EXPECT_EQ(again.summary.added() + again.summary.updated() + again.summary.refused(), 0);
  EXPECT_EQ(rooms_.Feed(), feed);
  EXPECT_EQ(AllResponses(), responses);
}

TEST_F(ResponseImporterTest, AChangedRowReplacesWhatItWas) {
  ASSERT_TRUE(RunImport(rooms_, ExportOf(3)).status.ok());
  const ImportOutcome again = RunImport(rooms_, Replaced(ExportOf(3), "Gemeente 2", "Edam"));
  EXPECT_EQ(again.summary.unchanged(), 2);
  EXPECT_EQ(again.summary.updated(), 1);
  EXPECT_EQ(again.rows[1].outcome(), v1::IMPORT_OUTCOME_UPDATED);
  EXPECT_EQ(Get("2").answers().answers(0).text(), "Edam");
  EXPECT_EQ(rooms_.Feed().size(), 4u);
}

TEST_F(ResponseImporterTest, AChangeOfPersonalAnswersAloneIsAChange) {
  ASSERT_TRUE(RunImport(rooms_, ExportOf(2)).status.ok());
  const std::string key = Get("1").respondent_key();
  EXPECT_EQ(RunImport(rooms_, ExportOf(2, "Pietersen")).summary.updated(), 2);
  EXPECT_NE(Get("1").respondent_key(), key);
}

TEST_F(ResponseImporterTest, AWithdrawnRowStaysWithdrawn) {
  ASSERT_TRUE(RunImport(rooms_, ExportOf(3)).status.ok());
  v1::WithdrawResponseRequest withdrawal;
  withdrawal.set_name(std::string(kWaveName) + "/responses/2");
  withdrawal.set_request_id("w");
  ASSERT_TRUE(rooms_.responses.Withdraw(withdrawal, 1).ok());
  const ImportOutcome again = RunImport(rooms_, Replaced(ExportOf(3), "Gemeente 2", "Edam"));
  EXPECT_EQ(again.summary.unchanged(), 3);
  EXPECT_THAT(again.rows[1].message(), HasSubstr("ingetrokken"));
  EXPECT_EQ(Get("2").state(), v1::RESPONSE_STATE_WITHDRAWN);
}

TEST_F(ResponseImporterTest, AnImportThatBrokeOffIsRunAgain) {
  const ImportOutcome broken = RunImport(rooms_, ExportOf(200), {}, 1 << 16, /*rows_before_break=*/70);
  EXPECT_EQ(broken.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(rooms_.Feed().size(), 128u) << "the group that was reported is durable";
  const ImportOutcome again = RunImport(rooms_, ExportOf(200));
  ASSERT_TRUE(again.status.ok());
  EXPECT_EQ(again.summary.unchanged(), 128);
  EXPECT_EQ(again.summary.added(), 72);
  EXPECT_EQ(rooms_.Feed().size(), 200u);
}

TEST_F(ResponseImporterTest, NothingIsReportedBeforeItIsDurable) {
  int calls = 0;
  ON_CALL(rooms_.validation, ValidateResponses)
      .WillByDefault([&](grpc::ClientContext*, const validation::v1::ValidateResponsesRequest& request,
                         validation::v1::ValidateResponsesResponse* response) {
        if (++calls == 2) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
        for (int i = 0; i < request.responses_size(); ++i) response->add_results();
        return grpc::Status::OK;
      });
  const ImportOutcome broken = RunImport(rooms_, ExportOf(150));
  EXPECT_EQ(broken.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(broken.rows.size(), 64u);
  EXPECT_EQ(AllResponses().size(), 64u);
  EXPECT_EQ(RunImport(rooms_, ExportOf(150)).summary.added(), 86);
}

TEST_F(ResponseImporterTest, TwoImportsAtOnceLoseAndDoubleNothing) {
  ImportOutcome one, two;
  std::thread first([&] { one = RunImport(rooms_, ExportOf(500), {}, 3000); });
  std::thread second([&] { two = RunImport(rooms_, ExportOf(500), {}, 5000); });
  first.join();
  second.join();
  ASSERT_TRUE(one.status.ok() && two.status.ok()) << one.status << two.status;
  EXPECT_EQ(one.summary.added() + two.summary.added(), 500);
  EXPECT_EQ(one.summary.unchanged() + two.summary.unchanged(), 500);
  EXPECT_EQ(rooms_.Feed().size(), 500u);
  EXPECT_EQ(AllResponses().size(), 500u);
}

TEST_F(ResponseImporterTest, AFileInOnePieceKeepsItsOrder) {
  const ImportOutcome outcome = RunImport(rooms_, ExportOf(1000), {}, 1 << 20);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.rows.size(), 1000u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(outcome.rows[i].line(), i + 2);
}

TEST_F(ResponseImporterTest, RowsWithFindingsAreKeptAndReported) {
  std::string file = Replaced(Replaced(ExportOf(4), "Gemeente 2", "FOUT"), "Gemeente 3", "LET OP");
  file = Replaced(file, "\r\n4,2022-09-05 05:01:35", "\r\n4,gisteren");
  const ImportOutcome outcome = RunImport(rooms_, file);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.summary.added(), 4);
  EXPECT_EQ(outcome.summary.with_errors(), 2);
  EXPECT_EQ(outcome.summary.with_warnings(), 1);
  EXPECT_EQ(outcome.rows[1].issues(0).question(), "Q3");
  EXPECT_EQ(outcome.rows[3].issues(0).code(), "startdate");
  EXPECT_EQ(Get("4").issues(0).code(), "startdate");
}

TEST_F(ResponseImporterTest, RefusedRowsAreReportedAndTheRestIsKept) {
  const ImportOutcome outcome = RunImport(rooms_, Replaced(ExportOf(3), "\r\n2,", "\r\n1,"));
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.summary.added(), 2);
  EXPECT_EQ(outcome.summary.refused(), 1);
  EXPECT_EQ(outcome.rows[1].outcome(), v1::IMPORT_OUTCOME_REFUSED);
  EXPECT_EQ(outcome.rows[1].line(), 3);
  EXPECT_NE(outcome.rows[1].message(), "");
  EXPECT_EQ(outcome.rows[1].response(), "");
  EXPECT_EQ(Get("1").answers().answers(0).text(), "Gemeente 1");
}

TEST_F(ResponseImporterTest, ADryRunStoresNothingAndSaysWhatWouldBe) {
  v1::ImportHeader header;
  header.set_dry_run(true);
  EXPECT_EQ(RunImport(rooms_, ExportOf(100), header).summary.added(), 100);
  EXPECT_TRUE(store_->List(kWaveName, "", "", 10)->empty());
  ASSERT_TRUE(RunImport(rooms_, ExportOf(90)).status.ok());
  const ImportOutcome dry = RunImport(rooms_, Replaced(ExportOf(100), "Gemeente 2,", "Edam,"), header);
  EXPECT_EQ(dry.summary.added(), 10);
  EXPECT_EQ(dry.summary.updated(), 1);
  EXPECT_EQ(dry.summary.unchanged(), 89);
  EXPECT_EQ(rooms_.Feed().size(), 90u);
}

TEST_F(ResponseImporterTest, RowsBeforeAnErrorAreDurable) {
  const ImportOutcome outcome = RunImport(rooms_, ExportOf(70) + "71,\"open");
  EXPECT_EQ(status::Reason(outcome.status), "EXPORT_MALFORMED");
  EXPECT_EQ(outcome.rows.size(), 70u);
  EXPECT_EQ(AllResponses().size(), 70u);
}

TEST_F(ResponseImporterTest, WrongColumnsStoreNothing) {
  EXPECT_EQ(status::Reason(RunImport(rooms_, Replaced(ExportOf(5), ",Q3,", ",Q99,")).status), "EXPORT_COLUMNS");
  EXPECT_TRUE(AllResponses().empty());
}

TEST_F(ResponseImporterTest, AFileThatEndsEarlyIsNotTakenForWhole) {
  const std::string file = ExportOf(3);
  v1::ImportHeader header;
  header.set_content_length(static_cast<int64_t>(file.size()));
  // Cut in the last field of the last row, which is then still a row.
  const ImportOutcome outcome = RunImport(rooms_, file.substr(0, file.size() - 2), header);
  EXPECT_EQ(status::Reason(outcome.status), "EXPORT_MALFORMED");
  EXPECT_EQ(status::Metadata(outcome.status)["line"], "4");
  EXPECT_EQ(AllResponses().size(), 2u);
}

TEST_F(ResponseImporterTest, SourcesKeepExportsApart) {
  v1::ImportHeader header;
  ASSERT_TRUE(RunImport(rooms_, ExportOf(2), header).status.ok());
  header.set_source("panel");
  EXPECT_EQ(RunImport(rooms_, ExportOf(2), header).summary.added(), 2);
  EXPECT_EQ(Get("panel~2").respondent_key(), Get("2").respondent_key()) << "the same person";
}

TEST_F(ResponseImporterTest, WhatCannotBeAnImport) {
  v1::ImportHeader header;
  header.set_parent("surveys/poll/waves/no");
  EXPECT_EQ(status::Reason(RunImport(rooms_, ExportOf(1), header).status), "WAVE_NOT_FOUND");
  header.set_parent("poll");
  header.set_source("a b");
  header.set_content_length(-1);
  EXPECT_EQ(status::FieldViolations(RunImport(rooms_, ExportOf(1), header).status).size(), 3u);
  EXPECT_EQ(status::Reason(RunImport(rooms_, std::string((1 << 20) + 1, 'x'), {}, 1 << 21).status), "INVALID_REQUEST");
}

TEST_F(ResponseImporterTest, PersonalAnswersNeverGetIntoTheFeed) {
  ASSERT_TRUE(RunImport(rooms_, ExportOf(3, "Jansen")).status.ok());
  ASSERT_TRUE(RunImport(rooms_, ExportOf(3, "Pietersen")).status.ok());
  for (const std::string& event : rooms_.Feed()) EXPECT_THAT(event, Not(::testing::ContainsRegex("Jansen|Pietersen")));
  for (const std::string& response : AllResponses()) EXPECT_THAT(response, Not(::testing::ContainsRegex("Jansen|Pietersen")));
}

}  // namespace
}  // namespace peiling::intake
