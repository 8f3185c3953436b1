#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kMatching[] = R"(figures {
  published { id: "Q5.ja" measure { count { option { question: "Q5" option: "ja" } } } percent: 80 base: 90 }
  label: "Werkt uw gemeente met wijkteams? Ja" k: 72 n: 90 percent: 80 verdict: VERDICT_MATCHES } )";
constexpr char kDiffering[] = R"(figures {
  published { id: "fieldwork.started" measure { count { fieldwork: FIELDWORK_COUNT_STARTED } } count: 167 }
  label: "begonnen vragenlijsten" k: 166 verdict: VERDICT_DIFFERS } differing: 1 )";
constexpr char kClaim[] =
    R"(claims { published { id: "c" place: "paragraaf 1.2" text: "63 van 90 is 72 procent" } verdict: VERDICT_DIFFERS finding: "63 van 90 is 70 procent." }
  source: "Sociale (wijk)teams, 2022" matching: 1 )";

class ReportTest : public SuiteTest {
 protected:
  ReportTest() {
    suite_.Answers<dedup::v1::GetCleaningReportResponse>(DedupMethod("GetCleaningReport"), R"(report {
      started: 167 municipality_unknown: 31 restarts: 27 colleague_duplicates: 22 equally_complete: 2 kept: 87 joint_questionnaires: 2
      records: 90 complete: 79 partial: 11 municipalities: 344 })");
    Compare(std::string(kMatching) + kClaim);
  }

  void Compare(const std::string& text) {
    suite_.Answers<analytics::v1::CompareWithPublishedResponse>(AnalyticsMethod("CompareWithPublished"), text);
  }
};

TEST_F(ReportTest, ShowsTheWayFromStartedToUsable) {
  const Outcome outcome = RunCtl(suite_.address(), {"report"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("started                                              167  ████████████████████████████████████████\n"
                        "municipality unknown                                 −31                                   ░░░░░░░\n"));
  EXPECT_THAT(outcome.out, HasSubstr("more municipalities in 2 joint questionnaires         +3"));
  EXPECT_THAT(outcome.out, HasSubstr("90 of 344 municipalities have a record: 26%\n"));
}

TEST_F(ReportTest, ShowsPrintedBesideComputedUnderTheQuestion) {
  const Outcome outcome = RunCtl(suite_.address(), {"report"});
  EXPECT_THAT(outcome.out, HasSubstr("FIGURE  PRINTED  OF  COMPUTED   K   N  VERDICT  NOTE\n"
                                     "Q5  Werkt uw gemeente met wijkteams?\n"
                                     "Ja          80%  90       80%  72  90  matches\n"));
  EXPECT_THAT(outcome.out, HasSubstr("paragraaf 1.2: “63 van 90 is 72 procent”\n    differs: 63 van 90 is 70 procent.\n"));
  EXPECT_THAT(outcome.out, HasSubstr("1 printed figures: 1 matches, 0 slips, 0 differ\n"));
}

TEST_F(ReportTest, ADifferenceIsExitCode1) {
  Compare(std::string(kMatching) + kDiffering + kClaim);
  const Outcome outcome = RunCtl(suite_.address(), {"report"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("begonnen vragenlijsten      167           166  166      differs\n"));
}

TEST_F(ReportTest, AMatrixHasAHeadingForEachRow) {
  Compare(
      R"(figures { published { id: "Q22.po.vaak" measure { count { option { question: "Q22" row: "po" option: "vaak" } } } percent: 40 base: 10 }
                       label: "Met wie? Primair onderwijs: Vaak" k: 4 n: 10 percent: 40 verdict: VERDICT_MATCHES } matching: 1)");
  EXPECT_THAT(RunCtl(suite_.address(), {"report"}).out,
              HasSubstr("\nQ22.po  Met wie? Primair onderwijs\nVaak        40%  10       40%  4  10  matches\n"));
}

TEST_F(ReportTest, WhatContradictsFactsIsSaidAndIsNoDifference) {
  Compare(
      R"(figures { published { id: "fieldwork.under_50k" measure { count { fieldwork: FIELDWORK_COUNT_USABLE } } count: 57 contradiction: "Het zijn er 58." }
                       label: "onder 50.000" k: 58 verdict: VERDICT_CONTRADICTED } contradicted: 1)");
  const Outcome outcome = RunCtl(suite_.address(), {"report"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("\nContradicted: Het zijn er 58.\n"));
  EXPECT_THAT(outcome.out, HasSubstr("1 contradicted by facts, 0 differ\n"));
}

TEST_F(ReportTest, OnlyDifferencesCanBeShown) {
  Compare(std::string(kMatching) + kDiffering);
  const Outcome outcome = RunCtl(suite_.address(), {"report", "--only", "differing"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("begonnen vragenlijsten"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("matches")));
}

TEST_F(ReportTest, AWaveNobodyPublishedAboutHasItsCleaning) {
  suite_.Answers<analytics::v1::CompareWithPublishedResponse>(AnalyticsMethod("CompareWithPublished"), std::vector<std::string>{});
  suite_.Fails(AnalyticsMethod("CompareWithPublished"), status::Error(absl::StatusCode::kNotFound, "PUBLISHED_REPORT_NOT_FOUND", "none"));
  const Outcome outcome = RunCtl(suite_.address(), {"report"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("started"));
  EXPECT_THAT(outcome.err, HasSubstr("nothing was published"));
}

TEST_F(ReportTest, AsJsonBothPartsAreOneObject) {
  google::protobuf::Struct json;
  const Outcome outcome = RunCtl(suite_.address(), {"report", "-o", "json"});
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(outcome.out, &json).ok()) << outcome.out;
  EXPECT_EQ(json.fields().at("cleaning").struct_value().fields().at("started").string_value(), "167");
  EXPECT_EQ(json.fields().at("comparison").struct_value().fields().at("figures").list_value().values_size(), 1);
}

TEST_F(ReportTest, AsCsvEveryPartHasItsSection) {
  const Outcome outcome = RunCtl(suite_.address(), {"report", "-o", "csv"});
  EXPECT_THAT(outcome.out, HasSubstr("\ncleaning,started,,,,,,167,,,,\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\nfigure,Q5.ja,Werkt uw gemeente met wijkteams? Ja,80,,90,80,72,90,matches,,\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\nstatement,c,63 van 90 is 72 procent,,,,,,,differs,63 van 90 is 70 procent.,\n"));
}

}  // namespace
}  // namespace peiling::ctl::testing
