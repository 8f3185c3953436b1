// What a user sees and a script gets when things go wrong.
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;

class ErrorsShownTest : public SuiteTest {};

TEST_F(ErrorsShownTest, WhatIsNotThereIsExitCode3WithReasonAndHint) {
  suite_.Fails(DedupMethod("GetCase"), status::Error(absl::StatusCode::kNotFound, "CASE_NOT_FOUND", "no case GM9999"));
  const Outcome outcome = RunCtl(suite_.address(), {"cases", "show", "GM9999"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "error: no case GM9999\nreason: CASE_NOT_FOUND\nhint: `peilingctl cases list` lists those there are\n");
}

TEST_F(ErrorsShownTest, AWrongRequestIsExitCode4WithEveryField) {
  status::BadRequest bad;
  bad.Add("as_of", "\"2022-13-01\", want YYYY-MM-DD");
  bad.Add("parent", "too long");
  suite_.Fails(AnalyticsMethod("GetProgress"), bad.ToStatus());
  const Outcome outcome = RunCtl(suite_.address(), {"progress", "--as-of", "2022-13-01"});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err, HasSubstr("  as_of: \"2022-13-01\", want YYYY-MM-DD\n  parent: too long\n"));
}

TEST_F(ErrorsShownTest, WithJsonErrorsAreJsonOnStderr) {
  suite_.Fails(DedupMethod("GetCase"),
               status::Error(absl::StatusCode::kNotFound, "CASE_NOT_FOUND", "no case GM9999", {{"case", "GM9999"}}));
  const Outcome outcome = RunCtl(suite_.address(), {"cases", "show", "GM9999", "-o", "json"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "");
  google::protobuf::Struct json;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(outcome.err, &json).ok()) << outcome.err;
  const auto& error = json.fields().at("error").struct_value().fields();
  EXPECT_EQ(error.at("reason").string_value(), "CASE_NOT_FOUND");
  EXPECT_EQ(error.at("metadata").struct_value().fields().at("case").string_value(), "GM9999");
}

TEST(NoServerTest, IsExitCode5) {
  const Outcome outcome = RunCtl("127.0.0.1:1", {"get", "waves"});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("cannot reach the server at 127.0.0.1:1"));
}

TEST_F(ErrorsShownTest, AServerThatIsTooSlowIsExitCode5) {
  suite_.Answers<intake::v1::ListWavesResponse>(IntakeMethod("ListWaves"), {}, true);
  const Outcome outcome = RunCtl(suite_.address(), {"get", "waves", "--timeout", "200ms"});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("did not answer in time"));
  EXPECT_THAT(outcome.err, HasSubstr("--timeout"));
}

TEST_F(ErrorsShownTest, AQuestionnaireInUseIsAConflict) {
  TemporaryFolder folder;
  suite_.Fails(IntakeMethod("ApplyDocuments"),
               status::Error(absl::StatusCode::kFailedPrecondition, "QUESTIONNAIRE_IN_USE", "2022 has responses"));
  const Outcome outcome = RunCtl(suite_.address(), {"apply", "-f", folder.Write("2022.yaml", "kind: wave")});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_THAT(outcome.err, HasSubstr("hint: give the questionnaire a new version"));
}

// Which wave is meant.

TEST_F(ErrorsShownTest, TheOnlyWaveIsMeantWhenNoneIsNamed) {
  suite_.Answers<dedup::v1::ListCasesResponse>(DedupMethod("ListCases"), "");
  EXPECT_EQ(RunCtl(suite_.address(), {"cases", "list"}).code, 0);
  EXPECT_EQ(suite_.Requests<dedup::v1::ListCasesRequest>(DedupMethod("ListCases")).at(0).parent(), "surveys/teams/waves/2022");
}

TEST_F(ErrorsShownTest, AWaveMayBeNamedShortOrInFullOrByTheEnvironment) {
  suite_.Answers<dedup::v1::ListCasesResponse>(DedupMethod("ListCases"), "");
  EXPECT_EQ(RunCtl(suite_.address(), {"cases", "list", "-w", "2022"}).code, 0);
  EXPECT_EQ(RunCtl(suite_.address(), {"cases", "list", "--wave", "teams/2022"}).code, 0);
  EXPECT_EQ(RunCtl(suite_.address(), {"-w", "surveys/teams/waves/2022", "cases", "list"}).code, 0);
  EXPECT_EQ(RunCtl(suite_.address(), {"cases", "list"}, {"PEILING_WAVE=teams/2022"}).code, 0);
  const auto requests = suite_.Requests<dedup::v1::ListCasesRequest>(DedupMethod("ListCases"));
  ASSERT_EQ(requests.size(), 4u);
  for (const auto& request : requests) EXPECT_EQ(request.parent(), "surveys/teams/waves/2022");
}

TEST_F(ErrorsShownTest, WithSeveralWavesOneMustBeNamed) {
  suite_.Answers<intake::v1::ListWavesResponse>(IntakeMethod("ListWaves"),
                                                R"(waves { name: "surveys/teams/waves/2019" } waves { name: "surveys/teams/waves/2022" })");
  const Outcome outcome = RunCtl(suite_.address(), {"cases", "list"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("surveys/teams/waves/2019, surveys/teams/waves/2022"));
}

TEST_F(ErrorsShownTest, AnUnknownWaveIsNotFoundAndTheOthersAreNamed) {
  const Outcome outcome = RunCtl(suite_.address(), {"cases", "list", "-w", "2023"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("no wave \"2023\"; there are: surveys/teams/waves/2022"));
}

}  // namespace
}  // namespace peiling::ctl::testing
