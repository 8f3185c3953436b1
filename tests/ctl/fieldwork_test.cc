// fieldwork: as a user runs it.
#include "gmock/gmock.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;

class FieldworkTest : public SuiteTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
  static std::string Method(const std::string& name) { return FieldworkMethod("ProgressService/" + name); }
};

TEST_F(FieldworkTest, ProgressStandsBesideThePlanAndEarlierWaves) {
  suite_.Answers<fieldwork::v1::GetFieldworkProgressResponse>(Method("GetFieldworkProgress"), R"(
    fieldwork_day: 12
    lines { stratum: "total" code: "total" label: "Totaal" municipalities: 344 invited: 340 reached: 330 opened: 200 started: 150
            submitted: 90 bounced: 11 escalated: 7 usable: 88 response_percent: 26 target_percent: 60 wanted: 119
            earlier { wave: "surveys/teams/waves/2020" response_percent: 31 final_percent: 44 } }
    lines { stratum: "province" code: "Utrecht" label: "Utrecht" municipalities: 26 })");
  EXPECT_EQ(Run({"fieldwork", "progress", "-o", "csv"}).out,
            "class,municipalities,invited,reached,opened,started,submitted,bounced,escalated,usable,response,target,wanted,earlier\n"
            "Totaal,344,340,330,200,150,90,11,7,88,26%,60%,119,2020: 31% (44%)\n"
            "Utrecht,26,0,0,0,0,0,0,0,,,,,\n");
  EXPECT_THAT(Run({"fieldwork", "progress"}).err, HasSubstr("day 12 of the fieldwork"));
}

TEST_F(FieldworkTest, MunicipalitiesAreThoseOfAStage) {
  suite_.Answers<fieldwork::v1::ListMunicipalityProgressResponse>(Method("ListMunicipalityProgress"), R"(
    municipalities { municipality: "GM0363" title: "Amsterdam" stage: FIELDWORK_STAGE_STARTED percent_done: 40 mails: 3 reminders: 2 })");
  const Outcome outcome = Run({"fieldwork", "municipalities", "--stage", "started", "-o", "csv"});
  EXPECT_THAT(outcome.out, HasSubstr("GM0363,Amsterdam,started,40%,3,2,0,0,,\n")) << outcome.err;
  EXPECT_EQ(suite_.Requests<fieldwork::v1::ListMunicipalityProgressRequest>(Method("ListMunicipalityProgress")).at(0).stage(),
            fieldwork::v1::FIELDWORK_STAGE_STARTED);
  EXPECT_EQ(Run({"fieldwork", "municipalities", "--stage", "asleep"}).code, 2);
}

TEST_F(FieldworkTest, CallsKeepTheServicesOrder) {
  const char* const kTwo = R"(
    calls { progress { municipality: "GM1" title: "Zundert" } reason: CALL_REASON_SILENT
            stratum { label: "Noord-Brabant" response_percent: 5 } full_name: "Jansen, A." phone: "1" }
    calls { progress { municipality: "GM2" title: "Aalten" } reason: CALL_REASON_NO_CONTACT stratum { label: "Gelderland" } })";
  suite_.Answers<fieldwork::v1::ListCallsResponse>(Method("ListCalls"), kTwo);
  EXPECT_EQ(Run({"fieldwork", "calls", "--limit", "2", "-o", "csv"}).out,
            "municipality,reason,class,response,full_name,job_title,phone\n"
            "Zundert,silent,Noord-Brabant,5%,\"Jansen, A.\",,1\n"
            "Aalten,no-contact,Gelderland,,,,\n");
  EXPECT_EQ(suite_.Requests<fieldwork::v1::ListCallsRequest>(Method("ListCalls")).at(0).page_size(), 2);
}

}  // namespace
}  // namespace peiling::ctl::testing
