#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CasesTest : public SuiteTest {
 protected:
  CasesTest() {
    suite_.Answers<analytics::v1::GetProgressResponse>(AnalyticsMethod("GetProgress"), "");
    suite_.Answers<dedup::v1::ListRulingsResponse>(kListRulings, "");
    suite_.Answers<dedup::v1::CreateRulingResponse>(kCreateRuling, R"(
      ruling { name: "surveys/teams/waves/2022/rulings/1" response: "surveys/teams/waves/2022/responses/101" assign { municipality_code: "GM0373" }
               reason: "nagevraagd" ruled_by: "onderzoeker" ruled_at { seconds: 1655000000 } }
      position { submissions: 7 records: 12 })");
  }

  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
  std::vector<dedup::v1::CreateRulingRequest> Created() { return suite_.Requests<dedup::v1::CreateRulingRequest>(kCreateRuling); }

  const std::string kListRulings = DedupMethod("ListRulings");
  const std::string kCreateRuling = DedupMethod("CreateRuling");
  TemporaryFolder folder_;
};

TEST_F(CasesTest, ListShowsWhatWaits) {
  suite_.Answers<dedup::v1::ListCasesResponse>(DedupMethod("ListCases"), R"text(
    cases { name: "surveys/teams/waves/2022/cases/GM0373-GM0893" titles: ["Bergen (NH.)", "Bergen (L.)"] state: CASE_STATE_WAITING decisions {} decisions {} })text");
  const Outcome outcome = Run({"cases", "list", "--state", "waiting"});
  EXPECT_EQ(outcome.out,
            "CASE           STATE    MUNICIPALITY               RESPONSES  KEPT  CONTRADICTIONS\n"
            "GM0373-GM0893  waiting  Bergen (NH.), Bergen (L.)          2\n");
  EXPECT_EQ(suite_.Requests<dedup::v1::ListCasesRequest>(DedupMethod("ListCases")).at(0).state(), dedup::v1::CASE_STATE_WAITING);
}

TEST_F(CasesTest, ShowExplainsEachResponseAndContradictions) {
  suite_.Answers<dedup::v1::GetCaseResponse>(DedupMethod("GetCase"), R"(survey_case {
      name: "surveys/teams/waves/2022/cases/GM0363" municipality_codes: "GM0363" titles: "Amsterdam" state: CASE_STATE_DECIDED
      decisions { response: "surveys/teams/waves/2022/responses/7" disposition: DISPOSITION_KEPT municipality_codes: "GM0363" answered: 40 reason: "De meest complete." }
      decisions { response: "surveys/teams/waves/2022/responses/8" disposition: DISPOSITION_COLLEAGUE_DUPLICATE municipality_codes: "GM0363" answered: 40 }
      contradictions { kept: "surveys/teams/waves/2022/responses/7" other: "surveys/teams/waves/2022/responses/8"
        answers { question: "Q5" kept { question: "Q5" selection { codes: "ja" } } other { question: "Q5" selection { codes: "nee" } } } } })");
  const Outcome outcome = Run({"cases", "show", "GM0363"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Amsterdam  (GM0363)  decided\n"));
  EXPECT_THAT(outcome.out, HasSubstr("colleague-duplicate"));
  EXPECT_THAT(outcome.out, HasSubstr("De meest complete."));
  EXPECT_THAT(outcome.out, HasSubstr("QUESTION  TITLE                             7 (KEPT)  8\n"
                                     "Q5        Werkt uw gemeente met wijkteams?  Ja        Nee\n"));
}

TEST_F(CasesTest, ContradictingAnswersAreShownInFullHoweverNarrow) {
  suite_.Answers<dedup::v1::GetCaseResponse>(DedupMethod("GetCase"), R"(survey_case {
      name: "surveys/teams/waves/2022/cases/GM0363" municipality_codes: "GM0363" titles: "Amsterdam" state: CASE_STATE_DECIDED
      contradictions { kept: "surveys/teams/waves/2022/responses/7" other: "surveys/teams/waves/2022/responses/8"
        answers { question: "Q5" kept { question: "Q5" selection { codes: ["aaaaaa", "bbbbbb", "cccccc"] } }
                  other { question: "Q5" selection { codes: ["aaaaaa", "bbbbbb", "dddddd"] } } } } })");
  const std::string out = RunCtl(suite_.address(), {"cases", "show", "GM0363"}, {"COLUMNS=45"}).out;
  EXPECT_THAT(out, HasSubstr("cccccc"));
  EXPECT_THAT(out, HasSubstr("dddddd"));
}

TEST_F(CasesTest, ACaseMayBeNamedByItsMunicipalityButNeverGuessed) {
  suite_.Answers<registry::v1::ResolveMunicipalityResponse>(RegistryMethod("ResolveMunicipality"), R"(
    resolution { text: "Apeldorn" kind: RESOLUTION_KIND_CORRECTED codes: "GM0200" titles: "Apeldoorn" explanation: "Gelezen als Apeldoorn." })");
  const Outcome outcome = Run({"cases", "show", "Apeldorn"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("Gelezen als Apeldoorn. (GM0200?)"));
  EXPECT_THAT(suite_.Requests<dedup::v1::GetCaseRequest>(DedupMethod("GetCase")), IsEmpty());
}

TEST_F(CasesTest, ARulingIsMadeAndWaitedFor) {
  const Outcome outcome = Run({"cases", "rule", "101", "--assign", "GM0373", "--reason", "nagevraagd"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("assign GM0373  onderzoeker  2022-06-12 04:13  made"));
  ASSERT_EQ(Created().size(), 1u);
  const dedup::v1::Ruling ruling = Created()[0].ruling();
  EXPECT_EQ(ruling.response(), "surveys/teams/waves/2022/responses/101");
  EXPECT_EQ(ruling.ruled_by(), "") << "who is let in is the gateway's to say";
  EXPECT_EQ(ruling.reason(), "nagevraagd");
  EXPECT_EQ(suite_.Requests<analytics::v1::GetProgressRequest>(AnalyticsMethod("GetProgress")).at(0).wait_for().records(), 12u);
}

TEST_F(CasesTest, WhoRulesCanBeSaidByFlagOrEnvironment) {
  EXPECT_EQ(Run({"cases", "rule", "105", "--exclude", "--reason", "x", "--by", "Jansen"}).code, 0);
  EXPECT_EQ(RunCtl(suite_.address(), {"cases", "rule", "105", "--exclude", "--reason", "x"}, {"PEILING_USER=De Vries"}).code, 0);
  ASSERT_EQ(Created().size(), 2u);
  EXPECT_EQ(Created()[0].ruling().ruled_by(), "Jansen");
  EXPECT_EQ(Created()[1].ruling().ruled_by(), "De Vries");
}

TEST_F(CasesTest, EveryKindOfRulingCanBeSaid) {
  EXPECT_EQ(Run({"cases", "rule", "104", "--keep", "GM0193", "--reason", "x"}).code, 0);
  EXPECT_EQ(Run({"cases", "rule", "105", "--exclude", "--reason", "x"}).code, 0);
  EXPECT_EQ(Run({"cases", "rule", "106", "--split", "GM0388,GM0532", "--reason", "x"}).code, 0);
  ASSERT_EQ(Created().size(), 3u);
  EXPECT_EQ(Created()[0].ruling().keep().municipality_code(), "GM0193");
  EXPECT_TRUE(Created()[1].ruling().has_exclude());
  EXPECT_THAT(Created()[2].ruling().split().municipality_codes(), ElementsAre("GM0388", "GM0532"));
}

TEST_F(CasesTest, ARulingNeedsOneDecisionAndAReason) {
  EXPECT_EQ(Run({"cases", "rule", "101", "--reason", "x"}).code, 2);
  EXPECT_EQ(Run({"cases", "rule", "101", "--exclude", "--assign", "GM0373", "--reason", "x"}).code, 2);
  EXPECT_EQ(Run({"cases", "rule", "101", "--exclude"}).code, 2);
  EXPECT_EQ(Run({"cases", "rule"}).code, 2);
  EXPECT_THAT(Created(), IsEmpty());
}

TEST_F(CasesTest, AFileTwiceAsksTheSame) {
  const std::string file =
      folder_.Write("rulings.csv", "response_id,municipality_code,reason\n101,GM0373,nagevraagd\n103,GM0373,nagevraagd\n");
  EXPECT_EQ(Run({"cases", "rule", "-f", file}).code, 0);
  EXPECT_EQ(Run({"cases", "rule", "-f", file}).code, 0);
  const auto created = Created();
  ASSERT_EQ(created.size(), 4u);
  EXPECT_NE(created[0].request_id(), created[1].request_id());
  EXPECT_EQ(created[0].request_id(), created[2].request_id());
  EXPECT_EQ(created[1].request_id(), created[3].request_id());
}

constexpr char kStanding[] = R"(rulings { name: "surveys/teams/waves/2022/rulings/1" response: "surveys/teams/waves/2022/responses/101"
                                          assign { municipality_code: "GM0373" } reason: "nagevraagd" ruled_by: "collega" %s })";

TEST_F(CasesTest, WhatStandsAlreadyIsUnchanged) {
  suite_.Answers<dedup::v1::ListRulingsResponse>(kListRulings, absl::StrFormat(kStanding, ""));
  const Outcome outcome = Run({"cases", "rule", "101", "--assign", "GM0373", "--reason", "nog eens"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("unchanged"));
  EXPECT_THAT(Created(), IsEmpty());
}

TEST_F(CasesTest, WhatWasTakenBackIsMadeAnew) {
  EXPECT_EQ(Run({"cases", "rule", "101", "--assign", "GM0373", "--reason", "nagevraagd"}).code, 0);
  suite_.Answers<dedup::v1::ListRulingsResponse>(kListRulings, absl::StrFormat(kStanding, "retracted_at { seconds: 1 }"));
  EXPECT_EQ(Run({"cases", "rule", "101", "--assign", "GM0373", "--reason", "nagevraagd"}).code, 0);
  ASSERT_EQ(Created().size(), 2u);
  EXPECT_NE(Created()[0].request_id(), Created()[1].request_id());
}

TEST_F(CasesTest, AConflictIsExitCode6AndTheOthersAreMade) {
  suite_.Fails(kCreateRuling, status::Error(absl::StatusCode::kAlreadyExists, "RULING_CONFLICT", "101 is assigned to GM0893"));
  const std::string file = folder_.Write("rulings.csv", "response_id,municipality_code,reason\n101,GM0373,a\n103,GM0373,b\n");
  const Outcome outcome = Run({"cases", "rule", "-f", file});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_EQ(Created().size(), 2u);
  EXPECT_THAT(outcome.err, HasSubstr("101 is assigned to GM0893"));
  EXPECT_THAT(outcome.err, HasSubstr("cases retract"));
}

TEST_F(CasesTest, ARulingIsTakenBackByItsNumber) {
  suite_.Answers<dedup::v1::RetractRulingResponse>(DedupMethod("RetractRuling"),
                                                   R"(ruling { name: "surveys/teams/waves/2022/rulings/3" exclude {} })");
  EXPECT_EQ(Run({"cases", "retract", "3", "--reason", "toch niet", "--by", "Jansen"}).code, 0);
  const auto request = suite_.Requests<dedup::v1::RetractRulingRequest>(DedupMethod("RetractRuling")).at(0);
  EXPECT_EQ(request.name(), "surveys/teams/waves/2022/rulings/3");
  EXPECT_EQ(request.retracted_by(), "Jansen");
}

TEST_F(CasesTest, AllPagesAreShown) {
  suite_.Answers<dedup::v1::ListCasesResponse>(DedupMethod("ListCases"),
                                               R"(cases { name: "surveys/teams/waves/2022/cases/GM0001" } next_page_token: "more")");
  // The fake gives the same page again: a server that never ends must not be followed for ever.
  const Outcome outcome = Run({"cases", "list", "-o", "name"});
  EXPECT_EQ(outcome.code, 5);
  const auto requests = suite_.Requests<dedup::v1::ListCasesRequest>(DedupMethod("ListCases"));
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[1].page_token(), "more");
}

}  // namespace
}  // namespace peiling::ctl::testing
