// Requests of HTTP as messages, and answers as HTTP shows them.
#include "services/gateway/http/transcoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "peiling/access/v1/access.pb.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

using ::testing::ElementsAre;

const HttpRules& Rules() {
  static const auto* const rules = new HttpRules(*HttpRules::Of(
      {intake::v1::GetWaveRequest::descriptor()->file()->service(0), analytics::v1::TabulateRequest::descriptor()->file()->service(0),
       access::v1::GetKeyRequest::descriptor()->file()->service(0), fieldwork::v1::GetContactRequest::descriptor()->file()->service(0),
       fieldwork::v1::UnsubscribeRequest::descriptor()->file()->service(0)}));
  return *rules;
}

struct Asked {
  const char* verb;
  const char* path;
  std::string query;
  std::string body;
  std::optional<std::string> etag;
  std::optional<std::string> after_sequence;
  std::optional<FormEncoding> form;
};

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> Read(const Asked& asked) {
  const HttpRules::Match match = Rules().Find(asked.verb, asked.path);
  EXPECT_NE(match.route, nullptr) << asked.path;
  return ReadRequest({match, asked.query, asked.form, asked.etag, asked.after_sequence}, asked.body);
}

std::string Text(const Asked& asked) {
  const auto message = Read(asked);
  return message.ok() ? (*message)->ShortDebugString() : std::string(message.status().ToString());
}

std::vector<std::string> Problems(const Asked& asked) {
  const auto message = Read(asked);
  std::vector<std::string> problems;
  for (const auto& [field, description] : status::FieldViolations(message.status()))
    problems.push_back(absl::StrCat(field, ": ", description));
  return problems;
}

constexpr char kTables[] = "/v1/surveys/s/waves/w/tables";

TEST(Transcoder, PathAndQueryMakeTheRequest) {
  EXPECT_EQ(Text({"GET", "/v1/surveys/s/waves/w"}), R"(name: "surveys/s/waves/w")");
  EXPECT_EQ(Text({"GET", kTables,
                  "questions=q1&questions=q%202&byStratum=STRATUM_PROVINCE&waitForSubmissions=7&&"
                  "waitForFurtherSubmissions=1&waitForFurtherSubmissions=2"}),
            R"(parent: "surveys/s/waves/w" questions: "q1" questions: "q 2" by { stratum: STRATUM_PROVINCE } )"
            R"(wait_for { submissions: 7 further_submissions: 1 further_submissions: 2 })");
  EXPECT_EQ(Text({"GET", kTables, "byGroup=a%2Bb+c%C3%A9"}), "parent: \"surveys/s/waves/w\" by { group: \"a+b c\\303\\251\" }");
  EXPECT_EQ(Text({"GET", "/v1/surveys/s/waves/w/responses", "pageSize=5&pageToken=&state=RESPONSE_STATE_STARTED"}),
            R"(parent: "surveys/s/waves/w" page_size: 5 state: RESPONSE_STATE_STARTED)");
  EXPECT_EQ(Text({"GET", "/v1/audit-entries", "since=2022-01-01T00:00:00%2B01:00"}), "since { seconds: 1640991600 }");
}

TEST(Transcoder, BodyAndPathMakeTheRequest) {
  constexpr char kWithdrawal[] = "/v1/surveys/s/waves/w/responses/1/withdrawal";
  EXPECT_EQ(Text({"POST", kWithdrawal, "", R"({"reason": "double"})"}), R"(name: "surveys/s/waves/w/responses/1" reason: "double")");
  EXPECT_EQ(Text({"POST", kWithdrawal}), R"(name: "surveys/s/waves/w/responses/1")");
  EXPECT_EQ(Text({"POST", kWithdrawal, "", R"({"name": "surveys/s/waves/w/responses/1"})"}), R"(name: "surveys/s/waves/w/responses/1")");
  EXPECT_THAT(Problems({"POST", kWithdrawal, "", R"({"name": "surveys/s/waves/w/responses/2"})"}),
              ElementsAre("name: is something else in the body than in the path"));
}

TEST(Transcoder, PathOfAStreamGoesIntoItsFirstMessage) {
  constexpr char kImports[] = "/v1/surveys/s/waves/w/imports";
  EXPECT_EQ(Text({"POST", kImports, "", R"({"header": {"dryRun": true}})"}), R"(header { parent: "surveys/s/waves/w" dry_run: true })");
  EXPECT_EQ(Text({"POST", kImports}), R"(header { parent: "surveys/s/waves/w" })");
  EXPECT_THAT(Problems({"POST", kImports, "", R"({"content": "YQ=="})"}),
              ElementsAre("header.parent: does not go together with what the body has"));
}

TEST(Transcoder, HeadersGoBeforeQueryAndBody) {
  EXPECT_EQ(Text({.verb = "POST", .path = "/v1/keys/a/revocation", .body = R"({"etag": "old"})", .etag = "new"}),
            R"(name: "keys/a" etag: "new")");
  EXPECT_EQ(Text({.verb = "GET", .path = "/v1/wave-events", .query = "afterSequence=3", .after_sequence = "9"}), "after_sequence: 9");
  EXPECT_THAT(Problems({.verb = "GET", .path = "/v1/wave-events", .after_sequence = "x"}),
              ElementsAre("after_sequence: want a whole number from 0 to 18446744073709551615"));
}

TEST(Transcoder, PathMaySayTheNameOfTheBody) {
  constexpr char kContact[] = "/v1/municipalities/GM0363/contacts/c1";
  const std::string name = R"(name: "municipalities/GM0363/contacts/c1")";
  EXPECT_EQ(Text({"PUT", kContact, "requestId=r", R"({"email": "a@b.nl", "etag": "old"})"}),
            "contact { " + name + R"( email: "a@b.nl" etag: "old" } request_id: "r")");
  EXPECT_EQ(Text({"PUT", kContact, "", R"({"name": "municipalities/GM0363/contacts/c1"})"}), "contact { " + name + " }");
  EXPECT_THAT(Problems({"PUT", kContact, "", R"({"name": "municipalities/GM0363/contacts/c2"})"}),
              ElementsAre("contact.name: is something else in the body than in the path"));
  EXPECT_THAT(Problems({"PUT", kContact, "contactEmail=a", "{}"}), ElementsAre("contactEmail: is no parameter here"));
  EXPECT_EQ(Text({.verb = "PUT", .path = kContact, .body = R"({"etag": "old"})", .etag = "new"}), "contact { " + name + R"( etag: "new" })")
      << "If-Match is about what is replaced";
  const HttpRoute& route = *Rules().Find("PUT", kContact).route;
  EXPECT_TRUE(TakesEtag(route));
  EXPECT_EQ(LocateField(route, "contact.name").in, "path");
  EXPECT_EQ(LocateField(route, "contact.email").pointer, "#/email");
  EXPECT_FALSE(TakesEtag(*Rules().Find("POST", "/v1/contact-imports").route));
}

TEST(Transcoder, FormIsABodyWhereAnybodyMayCall) {
  constexpr char kUnsubscription[] = "/v1/unsubscriptions/t";
  const std::string wanted = R"(token: "t" list_unsubscribe: "One-Click")";
  EXPECT_EQ(Text({.verb = "POST", .path = kUnsubscription, .body = "List-Unsubscribe=One-Click", .form = FormEncoding()}), wanted);
  EXPECT_EQ(Text({.verb = "POST", .path = kUnsubscription, .body = R"({"List-Unsubscribe": "One-Click"})"}), wanted);
  EXPECT_EQ(Text({.verb = "POST", .path = kUnsubscription, .form = FormEncoding()}), R"(token: "t")");
  EXPECT_THAT(Problems({.verb = "POST", .path = kUnsubscription, .body = "token=other", .form = FormEncoding()}),
              ElementsAre("token: is something else in the body than in the path"));
  EXPECT_TRUE(TakesForm(*Rules().Find("POST", kUnsubscription).route));
  for (const auto& route : Rules().routes()) EXPECT_EQ(TakesForm(*route), route->method->name() == "Unsubscribe") << route->path_template;
}

TEST(Transcoder, NamesAllThatIsWrongInAQuery) {
  EXPECT_THAT(Problems({"GET", kTables,
                        "x=1&questions=a&parent=b&wait_for.submissions=1&waitForSubmissions=-1&waitForRecords=1&waitForRecords=2&y"}),
              ElementsAre("x: is no parameter here", "parent: is no parameter here", "wait_for.submissions: is no parameter here",
                          "waitForSubmissions: want a whole number from 0 to 18446744073709551615", "waitForRecords: stands there twice",
                          "y: is no parameter here"));
  EXPECT_THAT(Problems({"GET", kTables, "byStratum=STRATUM_PROVINCE&byGroup=G40"}),
              ElementsAre("byGroup: does not go together with another parameter"));
  EXPECT_THAT(Problems({"POST", "/v1/surveys/s/waves/w/table-queries", "questions=a"}), ElementsAre("questions: is no parameter here"));
  for (const char* query : {"questions=%", "questions=%2", "%zz=1", "questions=%ff", "%ff=1"}) {
    EXPECT_THAT(Problems({"GET", kTables, query}), ElementsAre(": want a query in percent-encoded UTF-8")) << query;
  }
}

TEST(Transcoder, FurtherMessagesOfAStreamStandForThemselves) {
  const HttpRoute& route = *Rules().Find("POST", "/v1/surveys/s/waves/w/imports").route;
  const auto message = ReadFurtherRequest(route, R"({"content": "YQ=="})");
  ASSERT_TRUE(message.ok());
  EXPECT_EQ((*message)->ShortDebugString(), R"(content: "a")");
  EXPECT_FALSE(ReadFurtherRequest(route, R"({"contents": "YQ=="})").ok());
}

TEST(Transcoder, AnswerIsTheFieldThatTheContractNames) {
  intake::v1::GetSurveyResponse response;
  response.mutable_survey()->set_name("surveys/s");
  response.mutable_survey()->set_etag("e1");
  const auto shown = ReadResponse(*Rules().Find("GET", "/v1/surveys/s").route, Pack(response));
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->json, R"({"name":"surveys/s","title":"","description":"","etag":"e1"})");
  EXPECT_EQ(shown->etag, "\"e1\"");
  EXPECT_EQ(shown->sequence, "");
}

TEST(Transcoder, EtagThatNoHeaderCanHoldIsLeftOut) {
  for (const char* etag : {"", "a b", "a\"b", "caf\u00e9", "a\nb"}) {
    intake::v1::GetSurveyResponse response;
    response.mutable_survey()->set_etag(etag);
    EXPECT_EQ(ReadResponse(*Rules().Find("GET", "/v1/surveys/s").route, Pack(response))->etag, "") << etag;
  }
}

TEST(Transcoder, EventsTellTheirSequence) {
  const HttpRoute& route = *Rules().Find("GET", "/v1/surveys/s/waves/w/submission-events").route;
  intake::v1::WatchSubmissionsResponse event;
  EXPECT_EQ(ReadResponse(route, Pack(event))->sequence, "");
  event.mutable_submission()->set_sequence(12);
  EXPECT_EQ(ReadResponse(route, Pack(event))->sequence, "12");
  event.mutable_caught_up()->set_sequence(13);
  EXPECT_EQ(ReadResponse(route, Pack(event))->sequence, "13");
  EXPECT_TRUE(TakesAfterSequence(route));
  EXPECT_FALSE(TakesAfterSequence(*Rules().Find("GET", "/v1/surveys/s/waves/w/progress-events").route));
}

TEST(Transcoder, AnswerThatIsNoneOfTheContract) {
  grpc::Slice slice("\xff\xff\xff");
  EXPECT_EQ(ReadResponse(*Rules().Find("GET", "/v1/surveys/s").route, grpc::ByteBuffer(&slice, 1)).status().code(),
            absl::StatusCode::kInternal);
}

TEST(Transcoder, KnowsWhatTakesAnEtag) {
  EXPECT_TRUE(TakesEtag(*Rules().Find("POST", "/v1/surveys/s/waves/w/responses/1/withdrawal").route));
  EXPECT_FALSE(TakesEtag(*Rules().Find("POST", "/v1/surveys/s/waves/w/responses").route));
}

TEST(Transcoder, LocatesTheFieldsOfErrors) {
  struct Case {
    const char* verb;
    const char* path;
    const char* field;
    std::vector<std::string> location;
  };
  for (const Case& c : std::vector<Case>{
           {"GET", kTables, "parent", {"path", "parent", "", ""}},
           {"GET", kTables, "wait_for.submissions", {"query", "waitForSubmissions", "", ""}},
           {"GET", kTables, "waitForSubmissions", {"query", "waitForSubmissions", "", ""}},
           {"GET", kTables, "questions[1]", {"query", "questions", "", "1"}},
           {"GET", kTables, "questions[x]", {"query", "questions[x]", "", ""}},
           {"GET", kTables, "nothing", {"query", "nothing", "", ""}},
           {"POST", "/v1/surveys/s/waves/w/responses", "response.started_at", {"body", "", "#/response/startedAt", ""}},
           {"POST",
            "/v1/surveys/s/waves/w/responses",
            "response.answers.answers[3].selection.codes[0]",
            {"body", "", "#/response/answers/answers/3/selection/codes/0", ""}},
           {"POST", "/v1/surveys/s/waves/w/responses", "#/response/x", {"body", "", "#/response/x", ""}},
           {"POST", "/v1/surveys/s/waves/w/responses", "Q1", {"body", "Q1", "", ""}},
           {"POST", "/v1/surveys/s/waves/w/responses", "response.Q1", {"body", "response.Q1", "", ""}},
           {"POST", "/v1/surveys/s/waves/w/responses", "response.started_at[1]", {"body", "response.started_at[1]", "", ""}},
           {"POST", "/v1/surveys/s/waves/w/responses", "request_id.x", {"body", "request_id.x", "", ""}},
           {"POST", "/v1/surveys/s/waves/w/responses", "", {"body", "", "#", ""}},
           {"POST", "/v1/documents", "2022.yaml:3:4", {"body", "2022.yaml:3:4", "", ""}},
           {"POST", "/v1/documents", "documents[", {"body", "documents[", "", ""}},
           {"POST", "/v1/documents", "documents[0].", {"body", "documents[0].", "", ""}},
       }) {
    const FieldLocation at = LocateField(*Rules().Find(c.verb, c.path).route, c.field);
    EXPECT_THAT((std::vector<std::string>{at.in, at.name, at.pointer, at.index}), c.location) << c.field;
  }
}

}  // namespace
}  // namespace peiling::gateway
