// keys, audit, whoami.
#include <sys/stat.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/status/errors.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using access::v1::CreateKeyRequest;
using access::v1::ListAuditEntriesRequest;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kSecret[] = "peiling_5f2c9e01d4a7b386_0123456789012345678901234567890123456789012";

std::string AccessMethod(const std::string& name) { return "/peiling.access.v1.AccessService/" + name; }

class AccessTest : public SuiteTest {
 protected:
  AccessTest() {
    suite_.Answers<access::v1::CreateKeyResponse>(AccessMethod("CreateKey"),
                                                  R"(key { name: "keys/5f2c9e01d4a7b386" title: "dashboard" grants { role: ROLE_ANALYST }
                                                           created_at { seconds: 1655000000 } etag: "v1" }
                                                     secret: ")" +
                                                      std::string(kSecret) + R"(")");
    suite_.Answers<access::v1::ListKeysResponse>(AccessMethod("ListKeys"), R"(
      keys { name: "keys/0000000000000001" title: "old" grants { role: ROLE_ADMINISTRATOR } created_at { seconds: 1655000000 }
             revoked_at { seconds: 1655100000 } revoked_by: "keys/0000000000000002" }
      keys { name: "keys/0000000000000002" title: "SPSS" grants { role: ROLE_RESEARCHER resources: ["surveys/a", "surveys/b/waves/2024"] }
             grants { role: ROLE_ANALYST } created_at { seconds: 1655000000 } expires_at { seconds: 4102444800 } }
      keys { name: "keys/0000000000000003" title: "past" grants { role: ROLE_ANALYST } created_at { seconds: 1655000000 }
             expires_at { seconds: 1655100000 } })");
  }

  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
  std::vector<CreateKeyRequest> Created() { return suite_.Requests<CreateKeyRequest>(AccessMethod("CreateKey")); }

  TemporaryFolder folder_;
};

TEST_F(AccessTest, ANewKeysSecretIsAloneOnStandardOutput) {
  const Outcome outcome = Run({"keys", "create", "dashboard", "--role", "analyst"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, std::string(kSecret) + "\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("keys/5f2c9e01d4a7b386"), HasSubstr("cannot be shown again")));
  ASSERT_THAT(Created(), SizeIs(1));
  EXPECT_EQ(Created()[0].key().title(), "dashboard");
  EXPECT_FALSE(Created()[0].key().has_expires_at());
  EXPECT_THAT(Created()[0].request_id(), Not(IsEmpty()));
}

TEST_F(AccessTest, ProgramsGetTheSecretWithTheKey) {
  EXPECT_EQ(Run({"keys", "create", "dashboard", "--role", "analyst", "-o", "csv"}).out,
            "key,title,secret\n5f2c9e01d4a7b386,dashboard," + std::string(kSecret) + "\n");
  EXPECT_THAT(Run({"keys", "create", "dashboard", "--role", "analyst", "-o", "json"}).out,
              AllOf(HasSubstr(kSecret), HasSubstr("\"keys/5f2c9e01d4a7b386\"")));
}

TEST_F(AccessTest, RolesHaveLimits) {
  EXPECT_EQ(Run({"keys", "create", "SPSS", "--role", "researcher:surveys/a,surveys/b/waves/2024", "--role", "Analyst"}).code, 0);
  const access::v1::Key key = Created().at(0).key();
  ASSERT_EQ(key.grants_size(), 2);
  EXPECT_EQ(key.grants(0).role(), access::v1::ROLE_RESEARCHER);
  EXPECT_THAT(key.grants(0).resources(), ElementsAre("surveys/a", "surveys/b/waves/2024"));
  EXPECT_EQ(key.grants(1).role(), access::v1::ROLE_ANALYST);
  EXPECT_THAT(key.grants(1).resources(), IsEmpty());
}

TEST_F(AccessTest, ASlipInARoleIsNoKeyWithoutLimits) {
  EXPECT_EQ(Run({"keys", "create", "SPSS", "--role", "researcher:"}).code, 0);
  EXPECT_THAT(Created().at(0).key().grants(0).resources(), ElementsAre("")) << "which access refuses";
  for (const char* role : {"onderzoeker", "", ":surveys/a", "unspecified"}) {
    EXPECT_EQ(Run({"keys", "create", "SPSS", "--role", role}).code, 2) << role;
  }
  EXPECT_EQ(Run({"keys", "create", "SPSS"}).code, 2);
  EXPECT_THAT(Created(), SizeIs(1));
}

TEST_F(AccessTest, AKeyExpiresAfterSoLongOrOnADay) {
  const int64_t now = google::protobuf::util::TimeUtil::GetCurrentTime().seconds();
  EXPECT_EQ(Run({"keys", "create", "a", "--role", "analyst", "--expires", "90d"}).code, 0);
  EXPECT_NEAR(static_cast<double>(Created()[0].key().expires_at().seconds()), static_cast<double>(now + 90 * 86400), 60);
  EXPECT_EQ(Run({"keys", "create", "a", "--role", "analyst", "--expires", "2099-07-01"}).code, 0);
  EXPECT_EQ(google::protobuf::util::TimeUtil::ToString(Created()[1].key().expires_at()), "2099-06-30T22:00:00Z");
  EXPECT_EQ(Run({"keys", "create", "a", "--role", "analyst", "--expires", "soon"}).code, 2);
  EXPECT_THAT(Created(), SizeIs(2));
}

TEST_F(AccessTest, ASecretFileIsForItsOwnerAloneAndNothingIsShown) {
  const std::string path = folder_.Path("dashboard.key");
  const Outcome outcome = Run({"keys", "create", "dashboard", "--role", "analyst", "--secret-file", path});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out + outcome.err, Not(HasSubstr(kSecret)));
  EXPECT_THAT(outcome.out, HasSubstr("5f2c9e01d4a7b386"));
  EXPECT_EQ(ReadWhole(path), std::string(kSecret) + "\n");
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_THAT(Run({"keys", "create", "dashboard", "--role", "analyst", "--secret-file", folder_.Path("b.key"), "-o", "json"}).out,
              Not(HasSubstr(kSecret)));
}

TEST_F(AccessTest, NoKeyIsMadeWhoseSecretWouldBeLost) {
  const std::string path = folder_.Write("taken.key", "another\n");
  EXPECT_EQ(Run({"keys", "create", "dashboard", "--role", "analyst", "--secret-file", path}).code, 6);
  EXPECT_EQ(ReadWhole(path), "another\n");
  EXPECT_EQ(Run({"keys", "create", "dashboard", "--role", "analyst", "--secret-file", folder_.Path("no/folder")}).code, 3);
  EXPECT_EQ(Run({"keys", "create", "dashboard", "--role", "analyst", "-o", "name"}).code, 2);
  EXPECT_THAT(Created(), IsEmpty());
}

TEST_F(AccessTest, ARefusedKeyLeavesNoFile) {
  suite_.Fails(AccessMethod("CreateKey"), status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_KEYS", "too many"));
  const std::string path = folder_.Path("dashboard.key");
  EXPECT_NE(Run({"keys", "create", "dashboard", "--role", "analyst", "--secret-file", path}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST_F(AccessTest, ListShowsWhatStillOpens) {
  EXPECT_EQ(Run({"keys", "list"}).out,
            "KEY               TITLE  ROLES                                              CREATED           EXPIRES           STATE\n"
            "0000000000000001  old    administrator                                      2022-06-12 04:13                    revoked\n"
            "0000000000000002  SPSS   researcher:surveys/a,surveys/b/waves/2024 analyst  2022-06-12 04:13  2100-01-01 01:00  live\n"
            "0000000000000003  past   analyst                                            2022-06-12 04:13  2022-06-13 08:00  expired\n");
  EXPECT_EQ(Run({"keys", "list", "--live", "-o", "name"}).out, "keys/0000000000000002\n");
}

TEST_F(AccessTest, ShowAndRevokeTakeAnIdOrAName) {
  const std::string key = R"(key { name: "keys/0000000000000001" title: "old" grants { role: ROLE_ADMINISTRATOR } created_by: "development"
                                   created_at { seconds: 1655000000 } revoked_at { seconds: 1655100000 } revoked_by: "keys/0000000000000002" })";
  suite_.Answers<access::v1::GetKeyResponse>(AccessMethod("GetKey"), key);
  suite_.Answers<access::v1::RevokeKeyResponse>(AccessMethod("RevokeKey"), key);
  EXPECT_EQ(Run({"keys", "show", "0000000000000001"}).out,
            "FACT        VALUE\n"
            "key         keys/0000000000000001\n"
            "title       old\n"
            "state       revoked\n"
            "roles       administrator\n"
            "created     2022-06-12 04:13\n"
            "created by  development\n"
            "revoked     2022-06-13 08:00\n"
            "revoked by  keys/0000000000000002\n");
  EXPECT_THAT(Run({"keys", "revoke", "keys/0000000000000001"}).out, HasSubstr("revoked"));
  EXPECT_EQ(suite_.Requests<access::v1::GetKeyRequest>(AccessMethod("GetKey")).at(0).name(), "keys/0000000000000001");
  const auto revoked = suite_.Requests<access::v1::RevokeKeyRequest>(AccessMethod("RevokeKey")).at(0);
  EXPECT_EQ(revoked.name(), "keys/0000000000000001");
  EXPECT_THAT(revoked.request_id(), Not(IsEmpty()));
}

TEST_F(AccessTest, AnUnknownKeyIsExitCode3) {
  suite_.Fails(AccessMethod("GetKey"), status::Error(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", "no keys/1"));
  const Outcome outcome = Run({"keys", "show", "1"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("peilingctl keys list"));
}

TEST_F(AccessTest, KeysCompleteThemselves) {
  EXPECT_THAT(Run({"__complete", "keys", "revoke", ""}).out, HasSubstr("0000000000000002\tSPSS\n"));
  EXPECT_THAT(Run({"__complete", "keys", "create", "x", "--role", "rese"}).out, "researcher\n");
}

class AuditTest : public AccessTest {
 protected:
  AuditTest() {
    suite_.Answers<access::v1::ListAuditEntriesResponse>(kMethod, R"(
      entries { name: "audit-entries/b" time { seconds: 1655000001 nanos: 500000000 } subject: "keys/0000000000000002" credential: CREDENTIAL_KIND_KEY
                action: "peiling.dedup.v1.DedupService/CreateRuling" object: "surveys/a/waves/2024/rulings/1" result: "OK" origin: "10.0.0.1"
                request_id: "r-1" count: 1 }
      entries { name: "audit-entries/a" time { seconds: 1655000000 } action: "peiling.access.v1.AccessService/ListKeys"
                result: "UNAUTHENTICATED" reason: "CREDENTIALS_INVALID" origin: "10.0.0.2" count: 12 })");
  }
  std::vector<ListAuditEntriesRequest> Asked() { return suite_.Requests<ListAuditEntriesRequest>(kMethod); }

  const std::string kMethod = AccessMethod("ListAuditEntries");
};

TEST_F(AuditTest, ShowsWhoDidWhat) {
  EXPECT_EQ(
      Run({"audit", "list"}).out,
      "TIME                 WHO                    ACTION        OBJECT                          RESULT                      REASON    "
      "           FROM\n"
      "2022-06-12 04:13:21  keys/0000000000000002  CreateRuling  surveys/a/waves/2024/rulings/1  OK                                    "
      "           10.0.0.1\n"
      "2022-06-12 04:13:20                         ListKeys                                      UNAUTHENTICATED (12 times)  "
      "CREDENTIALS_INVALID  10.0.0.2\n");
  EXPECT_EQ(
      Run({"audit", "list", "-o", "csv"}).out,
      "time,subject,credential,action,object,result,reason,origin,request_id,count,name\n"
      "2022-06-12T02:13:21.500Z,keys/0000000000000002,key,peiling.dedup.v1.DedupService/CreateRuling,surveys/a/waves/2024/rulings/1,OK,,"
      "10.0.0.1,r-1,1,audit-entries/b\n"
      "2022-06-12T02:13:20Z,,,peiling.access.v1.AccessService/ListKeys,,UNAUTHENTICATED,CREDENTIALS_INVALID,10.0.0.2,,12,"
      "audit-entries/a\n");
  EXPECT_THAT(Run({"audit", "list", "-o", "json"}).out, HasSubstr("\"requestId\": \"r-1\""));
}

TEST_F(AuditTest, AsksForWhatIsWanted) {
  const int64_t now = google::protobuf::util::TimeUtil::GetCurrentTime().seconds();
  EXPECT_EQ(Run({"audit", "list", "--since", "24h", "--until", "2022-07-01 10:15", "--subject", "keys/1", "--action", "CreateKey",
                 "--object", "surveys/a", "--result", "OK", "--limit", "7"})
                .code,
            0);
  const ListAuditEntriesRequest request = Asked().at(0);
  EXPECT_NEAR(static_cast<double>(request.since().seconds()), static_cast<double>(now - 86400), 60);
  EXPECT_EQ(google::protobuf::util::TimeUtil::ToString(request.until()), "2022-07-01T08:15:00Z");
  EXPECT_EQ(request.subject(), "keys/1");
  EXPECT_EQ(request.action(), "CreateKey");
  EXPECT_EQ(request.object(), "surveys/a");
  EXPECT_EQ(request.result(), "OK");
  EXPECT_EQ(request.page_size(), 7);
  EXPECT_EQ(Run({"audit", "list", "--since", "yesterday"}).code, 2);
  EXPECT_EQ(Run({"audit", "list", "--limit", "0"}).code, 2);
}

TEST_F(AuditTest, GoesOnUntilItHasEnoughAndSaysThatThereAreMore) {
  suite_.Answers<access::v1::ListAuditEntriesResponse>(kMethod, R"(entries { name: "audit-entries/a" } next_page_token: "t")");
  const Outcome outcome = Run({"audit", "list", "--limit", "3", "-o", "name"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "audit-entries/a\naudit-entries/a\naudit-entries/a\n");
  EXPECT_THAT(outcome.err, HasSubstr("there are more"));
  ASSERT_THAT(Asked(), SizeIs(3));
  EXPECT_EQ(Asked()[0].page_token(), "");
  EXPECT_EQ(Asked()[1].page_token(), "t");
  EXPECT_EQ(Asked()[2].page_size(), 1);
}

TEST_F(AccessTest, WhoamiShowsWhatOneMayDo) {
  suite_.Answers<access::v1::GetCallerResponse>(AccessMethod("GetCaller"), R"(
    identity { subject: "keys/0000000000000002" title: "SPSS" credential: CREDENTIAL_KIND_KEY
               grants { role: ROLE_RESEARCHER resources: "surveys/a" } expires_at { seconds: 4102444800 } })");
  EXPECT_EQ(Run({"whoami"}).out,
            "FACT        VALUE\n"
            "subject     keys/0000000000000002\n"
            "title       SPSS\n"
            "credential  key\n"
            "roles       researcher:surveys/a\n"
            "until       2100-01-01 01:00\n");
  EXPECT_EQ(Run({"whoami", "-o", "name"}).out, "keys/0000000000000002\n");
}

}  // namespace
}  // namespace peiling::ctl::testing
