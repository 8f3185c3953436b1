// What the annotations of the contracts mean, and which mistakes in them are found.
#include "services/gateway/http/http_rule.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "google/api/annotations.pb.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/intake/v1/intake.pb.h"

namespace peiling::gateway {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

HttpRules RulesOfSuite() {
  auto rules = HttpRules::Of(
      {intake::v1::GetWaveRequest::descriptor()->file()->service(0), analytics::v1::TabulateRequest::descriptor()->file()->service(0)});
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

std::string Method(const HttpRules::Match& match) {
  return match.route == nullptr ? absl::StrCat("none, ", match.allowed.size(), " others") : match.route->method->name();
}

TEST(HttpRules, FindsTheMethodOfARequest) {
  const HttpRules rules = RulesOfSuite();
  struct Case {
    const char* verb;
    const char* path;
    const char* method;
    std::vector<std::string> values;
  };
  for (const Case& c : std::vector<Case>{
           {"GET", "/v1/surveys", "ListSurveys", {}},
           {"GET", "/v1/surveys/s", "GetSurvey", {"surveys/s"}},
           {"GET", "/v1/surveys/s/waves/2022", "GetWave", {"surveys/s/waves/2022"}},
           {"GET", "/v1/surveys/-/waves", "ListWaves", {"surveys/-"}},
           {"GET", "/v1/surveys/s/waves/2022/responses", "ListResponses", {"surveys/s/waves/2022"}},
           {"POST", "/v1/surveys/s/waves/2022/responses", "SubmitResponse", {"surveys/s/waves/2022"}},
           {"POST", "/v1/surveys/s/waves/2022/imports", "ImportResponses", {"surveys/s/waves/2022"}},
           {"POST", "/v1/surveys/s/waves/2022/table-queries", "Tabulate", {"surveys/s/waves/2022"}},
           {"GET", "/v1/surveys/%73%C3%A9/waves/20%2b", "GetWave", {"surveys/s\u00e9/waves/20+"}},
       }) {
    const HttpRules::Match match = rules.Find(c.verb, c.path);
    EXPECT_EQ(Method(match), c.method) << c.path;
    EXPECT_EQ(match.values, c.values) << c.path;
  }
}

TEST(HttpRules, NamesTheMethodsOfAPathInstead) {
  const HttpRules rules = RulesOfSuite();
  EXPECT_THAT(rules.Find("DELETE", "/v1/surveys/s/waves/2022/responses").allowed, ElementsAre("GET", "POST"));
  EXPECT_THAT(rules.Find("POST", "/v1/surveys").allowed, ElementsAre("GET"));
  EXPECT_THAT(rules.Find("get", "/v1/surveys").allowed, ElementsAre("GET"));
}

TEST(HttpRules, PathsOfNothing) {
  const HttpRules rules = RulesOfSuite();
  for (const std::string path : {"",
                                 "/",
                                 "*",
                                 "v1/surveys",
                                 "/v1",
                                 "/v1/",
                                 "/v1/surveys/",
                                 "/v1//surveys",
                                 "//v1/surveys",
                                 "/v1/surveys/s/",
                                 "/v1/surveys/s/waves/",
                                 "/v1/surveys/%",
                                 "/v1/surveys/%2",
                                 "/v1/surveys/%zz",
                                 "/v1/surveys/a%2Fb",
                                 "/v1/surveys/a%00",
                                 "/v1/surveys/a%0A",
                                 "/v1/surveys/%ff",
                                 "/v1/surveys/s/waves/2022/responses/1/2",
                                 "/v2/surveys",
                                 "/V1/surveys",
                                 "/v1/./surveys/s/x"}) {
    const HttpRules::Match match = rules.Find("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_THAT(match.allowed, IsEmpty()) << path;
  }
  EXPECT_EQ(rules.Find("GET", std::string(100'000, '/')).route, nullptr);
}

TEST(HttpRules, QueryHasWhatPathAndBodyLeaveOut) {
  const HttpRules rules = RulesOfSuite();
  std::vector<std::string> names;
  for (const QueryParameter& parameter : rules.Find("GET", "/v1/surveys/s/waves/2022/tables").route->query) {
    names.push_back(absl::StrCat(parameter.name, "=", DottedName(parameter.field)));
  }
  EXPECT_THAT(names, ElementsAre("questions=questions", "byStratum=by.stratum", "byQuestion=by.question", "byGroup=by.group",
                                 "byTookPartIn=by.took_part_in", "waitForSubmissions=wait_for.submissions",
                                 "waitForRecords=wait_for.records", "waitForFurtherSubmissions=wait_for.further_submissions"));
  EXPECT_THAT(rules.Find("POST", "/v1/surveys/s/waves/2022/table-queries").route->query, IsEmpty());
}

TEST(HttpRules, ResponseBodyIsAField) {
  const HttpRules rules = RulesOfSuite();
  EXPECT_EQ(rules.Find("GET", "/v1/surveys/s").route->response_field->name(), "survey");
  EXPECT_EQ(rules.Find("GET", "/v1/surveys").route->response_field, nullptr);
}

// The rules of a service whose one method has the annotation (text format).
absl::StatusOr<HttpRules> RulesOf(const std::string& rule, const std::string& method = R"(input_type: ".t.Q")") {
  google::protobuf::FileDescriptorProto file;
  const std::string text = absl::StrCat(R"(
      name: "t.proto" package: "t" syntax: "proto3" dependency: "google/api/annotations.proto"
      message_type {
        name: "Q"
        field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
        field { name: "size" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
        field { name: "sub" number: 3 type: TYPE_MESSAGE type_name: ".t.Sub" label: LABEL_OPTIONAL }
        field { name: "many" number: 4 type: TYPE_STRING label: LABEL_REPEATED }
        field { name: "self" number: 5 type: TYPE_MESSAGE type_name: ".t.Q" label: LABEL_OPTIONAL }
        field { name: "subs" number: 6 type: TYPE_MESSAGE type_name: ".t.Sub" label: LABEL_REPEATED }
      }
      message_type {
        name: "Sub"
        field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      }
      message_type {
        name: "Clash"
        field { name: "sub" number: 1 type: TYPE_MESSAGE type_name: ".t.Sub" label: LABEL_OPTIONAL }
        field { name: "sub_name" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
      }
      service {
        name: "S"
        method { name: "A" output_type: ".t.Q" )",
                                        method, R"( options { [google.api.http] { )", rule, R"( } } }
        method { name: "B" input_type: ".t.Sub" output_type: ".t.Q" options { [google.api.http] { get: "/v1/b" } } }
      })");
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &file)) << text;
  static auto* pools = new std::vector<std::unique_ptr<google::protobuf::DescriptorPool>>;
  pools->push_back(std::make_unique<google::protobuf::DescriptorPool>(google::protobuf::DescriptorPool::generated_pool()));
  const google::protobuf::FileDescriptor* built = pools->back()->BuildFile(file);
  EXPECT_NE(built, nullptr);
  return HttpRules::Of({built->service(0)});
}

TEST(HttpRules, MistakesAreFoundAtTheStart) {
  struct Case {
    const char* rule;
    const char* problem;
    const char* method = R"(input_type: ".t.Q")";
  };
  for (const Case& c : std::vector<Case>{
           {R"(get: "")", "cannot be read at byte 0"},
           {R"(get: "v1/a")", "cannot be read at byte 0"},
           {R"(get: "/v1/a/")", "cannot be read at byte 6"},
           {R"(get: "/v1//a")", "cannot be read"},
           {R"(get: "/v1/*")", "cannot be read"},
           {R"(get: "/v1/{name=a/*")", "cannot be read"},
           {R"(get: "/v1/{name=**}")", "\"**\""},
           {R"(get: "/v1/a:undo")", ":verb"},
           {R"(get: "/v1/{nobody}")", "{nobody} is no text"},
           {R"(get: "/v1/{size}")", "{size} is no text"},
           {R"(get: "/v1/{sub}")", "{sub} is no text"},
           {R"(get: "/v1/{many}")", "{many} is no text"},
           {R"(get: "/v1/{sub.none}")", "{sub.none} is no text"},
           {R"(get: "/v1/{name}/{name}")", "stands there twice"},
           {R"(get: "/v1/a" body: "*")", "GET has no body"},
           {R"(post: "/v1/a" body: "none")", "body: none is no message"},
           {R"(post: "/v1/a" body: "subs")", "body: subs is no message"},
           {R"(get: "/v1/a" response_body: "size")", "response_body: size is no message"},
           {R"(get: "/v1/b")", "is also"},
           {R"(custom { kind: "LIST" path: "/v1/a" })", "custom method"},
           {R"(post: "/v1/a")", "stream of requests", R"(input_type: ".t.Q" client_streaming: true)"},
           {R"(get: "/v1/a" selector: "x")", "selector"},
           {R"(get: "/v1/a" additional_bindings { get: "/v1/c" additional_bindings { get: "/v1/d" } })", "within additional_bindings"},
       }) {
    const auto rules = RulesOf(c.rule, c.method);
    ASSERT_FALSE(rules.ok()) << c.rule;
    EXPECT_THAT(std::string(rules.status().message()), HasSubstr(c.problem)) << c.rule;
  }
  EXPECT_TRUE(RulesOf(R"(post: "/v1/{sub.name=a/*/b}/c" body: "*")").ok());
  EXPECT_TRUE(RulesOf(R"(put: "/v1/{sub.name=a/*}" body: "sub")").ok());
}

TEST(HttpRules, TellsAllMistakesAtOnce) {
  const auto rules = RulesOf(R"(get: "/v1/{nobody}" body: "*" response_body: "none")");
  ASSERT_FALSE(rules.ok());
  EXPECT_THAT(std::string(rules.status().message()),
              AllOf(HasSubstr("t.S.A: "), HasSubstr("nobody"), HasSubstr("no body"), HasSubstr("none")));
}

TEST(HttpRules, NoTwoFieldsHaveOneNameInTheQuery) {
  const auto rules = RulesOf(R"(get: "/v1/a")", R"(input_type: ".t.Clash")");
  ASSERT_FALSE(rules.ok());
  EXPECT_THAT(std::string(rules.status().message()), HasSubstr("two fields are subName in the query"));
}

TEST(HttpRules, MessagesInThemselvesAreLeftOutOfTheQuery) {
  const auto rules = RulesOf(R"(get: "/v1/{name=a/*}")");
  ASSERT_TRUE(rules.ok()) << rules.status();
  std::vector<std::string> names;
  for (const QueryParameter& parameter : rules->routes()[0]->query) names.push_back(parameter.name);
  EXPECT_THAT(names, ElementsAre("size", "subName", "many"));
}

}  // namespace
}  // namespace peiling::gateway
