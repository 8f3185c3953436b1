// The commands that show what there is.
#include "gmock/gmock.h"
#include "grpc/health/v1/health.pb.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ShownTest : public SuiteTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }

  TemporaryFolder folder_;
};

TEST_F(ShownTest, Waves) {
  EXPECT_EQ(Run({"get", "waves"}).out,
            "NAME                      TITLE       FRAME DATE  OPENED      CLOSED  RESPONSES\n"
            "surveys/teams/waves/2022  Teams 2022  2022-03-24  2022-04-04                167\n");
  EXPECT_EQ(Run({"get", "waves", "-o", "name"}).out, "surveys/teams/waves/2022\n");
}

TEST_F(ShownTest, Surveys) { EXPECT_EQ(Run({"get", "surveys", "-o", "csv"}).out, "name,title\nsurveys/teams,Sociale teams\n"); }

TEST_F(ShownTest, AQuestionnaireAsAnOverviewInDetailAndAsACodebook) {
  const std::string overview = Run({"get", "questionnaire"}).out;
  EXPECT_THAT(overview, HasSubstr("Algemeen\nQ5        single        2  Werkt uw gemeente met wijkteams?  required\n"));
  EXPECT_THAT(overview, HasSubstr("if Q5 == ja"));
  EXPECT_THAT(Run({"get", "questionnaire", "Q5"}).out, HasSubstr("ja    Ja\n"));
  EXPECT_THAT(Run({"get", "questionnaire", "-o", "csv"}).out,
              HasSubstr("\nAlgemeen,Q5,single,Werkt uw gemeente met wijkteams?,option,ja,Ja,,,yes,no\n"));
  EXPECT_EQ(Run({"get", "questionnaire", "Q99"}).code, 3);
}

TEST_F(ShownTest, ApplySendsEveryYamlFileOfAFolderByName) {
  suite_.Answers<intake::v1::ApplyDocumentsResponse>(IntakeMethod("ApplyDocuments"), R"(
    resources { name: "surveys/teams" outcome: APPLY_OUTCOME_UNCHANGED } resources { name: "surveys/teams/waves/2022" outcome: APPLY_OUTCOME_CREATED warnings: "pas op" })");
  folder_.Write("surveys/b.yml", "kind: wave");
  folder_.Write("surveys/a.yaml", "kind: survey");
  folder_.Write("surveys/notes.txt", "no");
  const Outcome outcome = Run({"apply", "-f", folder_.Path("surveys")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "NAME                      OUTCOME\n"
            "surveys/teams             unchanged\n"
            "surveys/teams/waves/2022  created\n");
  EXPECT_EQ(outcome.err, "warning: surveys/teams/waves/2022: pas op\n");
  const auto request = suite_.Requests<intake::v1::ApplyDocumentsRequest>(IntakeMethod("ApplyDocuments")).at(0);
  ASSERT_EQ(request.documents_size(), 2);
  EXPECT_EQ(request.documents(0).filename(), folder_.Path("surveys/a.yaml"));
  EXPECT_EQ(request.documents(1).text(), "kind: wave");
  EXPECT_FALSE(request.dry_run());
}

TEST_F(ShownTest, ApplySaysWhichFileIsNotThere) {
  EXPECT_EQ(Run({"apply", "-f", folder_.Path("nothing.yaml")}).code, 3);
  EXPECT_EQ(Run({"apply", "-f", folder_.Path("")}).code, 3);
}

TEST_F(ShownTest, ValidateAnswersWithFindingsAndExitCode1) {
  status::BadRequest bad;
  bad.Add("2022.yaml:12:3", "code \"Q5\" twice");
  suite_.Fails(IntakeMethod("ApplyDocuments"), bad.ToStatus("DOCUMENT_INVALID"));
  const std::string file = folder_.Write("2022.yaml", "kind: wave");
  const Outcome outcome = Run({"validate", "questionnaire", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "PLACE           FINDING\n2022.yaml:12:3  code \"Q5\" twice\n");
  EXPECT_TRUE(suite_.Requests<intake::v1::ApplyDocumentsRequest>(IntakeMethod("ApplyDocuments")).at(0).dry_run());
}

TEST_F(ShownTest, Progress) {
  suite_.Answers<analytics::v1::GetProgressResponse>(AnalyticsMethod("GetProgress"), R"(progress {
    lines { stratum: "total" code: "total" label: "Totaal" municipalities: 344 started: 167 usable: 90 complete: 79 response_percent: 26 }
    lines { stratum: "province" code: "Utrecht" label: "Utrecht" municipalities: 26 started: 12 usable: 7 complete: 6 response_percent: 27 }
    started_unknown: 31 notices: "De antwoorden zijn verzonnen." })");
  const Outcome outcome = Run({"progress", "--as-of", "2022-05-01"});
  EXPECT_EQ(outcome.out,
            "CLASS    MUNICIPALITIES  STARTED  USABLE  COMPLETE  RESPONSE\n"
            "All municipalities\n"
            "Totaal              344      167      90        79       26%\n"
            "\n"
            "By province\n"
            "Utrecht              26       12       7         6       27%\n"
            "\n"
            "31 of the started responses name no municipality that is known.\n"
            "\n"
            "De antwoorden zijn verzonnen.\n");
  EXPECT_EQ(suite_.Requests<analytics::v1::GetProgressRequest>(AnalyticsMethod("GetProgress")).at(0).as_of(), "2022-05-01");
}

TEST_F(ShownTest, ProgressSaysWhyMoreMayBeUsableThanStarted) {
  suite_.Answers<analytics::v1::GetProgressResponse>(AnalyticsMethod("GetProgress"), R"(progress {
    lines { stratum: "province" code: "Utrecht" label: "Utrecht" municipalities: 26 started: 1 usable: 3 complete: 3 response_percent: 12 } })");
  EXPECT_THAT(Run({"progress"}).out,
              HasSubstr("A joint response is started once in a class, and usable for each of its municipalities.\n"));
}

TEST_F(ShownTest, DecisionsOfOneKind) {
  suite_.Answers<dedup::v1::ListDecisionsResponse>(DedupMethod("ListDecisions"), R"(
    decisions { response: "surveys/teams/waves/2022/responses/9" disposition: DISPOSITION_RESTART municipality_codes: "GM0363" answered: 3 reason: "Begon opnieuw." })");
  const Outcome outcome = Run({"decisions", "--disposition", "restart", "-o", "csv"});
  EXPECT_EQ(outcome.out, "response,disposition,municipality,started,submitted,answered,reason\n9,restart,GM0363,,,3,Begon opnieuw.\n");
  EXPECT_EQ(suite_.Requests<dedup::v1::ListDecisionsRequest>(DedupMethod("ListDecisions")).at(0).disposition(),
            dedup::v1::DISPOSITION_RESTART);
}

TEST_F(ShownTest, AResponseWithLabelsAndPersonalAnswersOnlyWhenAsked) {
  suite_.Answers<intake::v1::GetResponseResponse>(IntakeMethod("GetResponse"), R"(response {
    name: "surveys/teams/waves/2022/responses/101" state: RESPONSE_STATE_SUBMITTED completeness { asked: 3 answered: 1 }
    answers { answers { question: "Q5" selection { codes: "ja" } } } issues { question: "Q22" severity: SEVERITY_WARNING message: "Niet gesteld." } })");
  const Outcome outcome = Run({"responses", "show", "101"});
  EXPECT_THAT(outcome.out, HasSubstr("state: submitted\n"));
  EXPECT_THAT(outcome.out, HasSubstr("warning: Q22: Niet gesteld.\n"));
  EXPECT_THAT(outcome.out, HasSubstr("Q5        Werkt uw gemeente met wijkteams?  Ja\n"));
  Run({"responses", "show", "101", "--personal"});
  const auto requests = suite_.Requests<intake::v1::GetResponseRequest>(IntakeMethod("GetResponse"));
  EXPECT_EQ(requests.at(0).view(), intake::v1::RESPONSE_VIEW_UNSPECIFIED);
  EXPECT_EQ(requests.at(1).view(), intake::v1::RESPONSE_VIEW_PERSONAL);
}

TEST_F(ShownTest, TrendsInOneTableWithWavesAsColumns) {
  suite_.Answers<analytics::v1::ListTrendsResponse>(AnalyticsMethod("ListTrends"), R"(trends {
    id: "teams" option { question: "Q5" option: "ja" } question_title: "Werkt uw gemeente met wijkteams?" option_label: "Ja"
    points { wave: "2014" source: FIGURE_SOURCE_PUBLISHED percent: 69 comparability: COMPARABILITY_STATUS_COMPARABLE }
    points { wave: "2019" comparability: COMPARABILITY_STATUS_BROKEN comparability_reason: "Anders gevraagd." }
    points { wave: "2022" source: FIGURE_SOURCE_RECORDS percent: 80 k: 72 n: 90 comparability: COMPARABILITY_STATUS_SAME } }
    trends { id: "schools" option { question: "Q22" row: "po" option: "nee" } question_title: "Werkt u samen met scholen?" option_label: "Nee" })");
  const std::string text = Run({"trend", "--all"}).out;
  EXPECT_THAT(text, HasSubstr("TREND    2014    2019  2022  FIGURE\n"
                              "teams    69%*  broken   80%  Werkt uw gemeente met wijkteams? Ja\n"
                              "schools     –       –     –  Werkt u samen met scholen? po: Nee\n"));
  EXPECT_THAT(Run({"trend", "--all", "-o", "csv"}).out,
              HasSubstr("\nteams,Q5,,ja,Werkt uw gemeente met wijkteams?,Ja,2022,records,80,72,90,same,,,no\n"));
}

TEST_F(ShownTest, ATrendNeedsAQuestionAndAnOption) {
  EXPECT_EQ(Run({"trend"}).code, 2);
  EXPECT_EQ(Run({"trend", "Q5"}).code, 2);
  EXPECT_EQ(Run({"trend", "Q5", "ja", "--all"}).code, 2);
}

TEST_F(ShownTest, TextsThatAreNotUnderstoodAreExitCode1) {
  suite_.Answers<registry::v1::BatchResolveMunicipalitiesResponse>(RegistryMethod("BatchResolveMunicipalities"), R"(
    resolutions { text: "gem. Nissewaard" kind: RESOLUTION_KIND_EXACT codes: "GM1930" titles: "Nissewaard" }
    resolutions { text: "test" kind: RESOLUTION_KIND_UNKNOWN explanation: "Geen gemeente." })");
  const Outcome outcome = Run({"municipality", "resolve", "gem. Nissewaard", "test"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("gem. Nissewaard  exact    GM1930"));
  const auto request = suite_.Requests<registry::v1::BatchResolveMunicipalitiesRequest>(RegistryMethod("BatchResolveMunicipalities")).at(0);
  EXPECT_THAT(request.texts(), ElementsAre("gem. Nissewaard", "test"));
}

TEST_F(ShownTest, AMunicipalityByNameShowsItsFacts) {
  suite_.Answers<registry::v1::ResolveMunicipalityResponse>(RegistryMethod("ResolveMunicipality"),
                                                            R"(resolution { kind: RESOLUTION_KIND_EXACT codes: "GM0363" })");
  suite_.Answers<registry::v1::GetMunicipalityResponse>(RegistryMethod("GetMunicipality"), R"(municipality {
    name: "municipalities/GM0363" code: "GM0363" title: "Amsterdam" predecessors: "GM0457"
    facts { as_of: "2022-03-24" inhabitants: 882633 inhabitants_date: "2022-01-01" size_class: SIZE_CLASS_200K_AND_OVER groups: "G4" } })");
  const Outcome outcome = Run({"municipality", "show", "Amsterdam", "--as-of", "2022-03-24"});
  EXPECT_THAT(outcome.out, HasSubstr("inhabitants  882633 (counted on 2022-01-01)\n"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("until")));
  EXPECT_EQ(suite_.Requests<registry::v1::GetMunicipalityRequest>(RegistryMethod("GetMunicipality")).at(0).name(), "municipalities/GM0363");
}

TEST_F(ShownTest, LineageOfMunicipalities) {
  suite_.Answers<registry::v1::TraceLineageResponse>(RegistryMethod("TraceLineage"), R"(lineages { code: "GM0457" codes: "GM0363" })");
  EXPECT_EQ(Run({"municipality", "lineage", "GM0457", "--from", "2022-01-01", "--to", "2022-03-24"}).out,
            "ON 2022-01-01  ON 2022-03-24\nGM0457         GM0363\n");
}

TEST_F(ShownTest, WaitEndsWhenTheSuiteServes) {
  suite_.Answers<grpc::health::v1::HealthCheckResponse>("/grpc.health.v1.Health/Check", "status: SERVING");
  EXPECT_EQ(Run({"wait"}).code, 0);
}

TEST_F(ShownTest, WaitGivesUpAfterItsTimeoutAndSaysWhy) {
  suite_.Answers<grpc::health::v1::HealthCheckResponse>("/grpc.health.v1.Health/Check", "status: NOT_SERVING");
  const Outcome outcome = Run({"wait", "--timeout", "300ms"});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("it is not ready yet"));
}

}  // namespace
}  // namespace peiling::ctl::testing
