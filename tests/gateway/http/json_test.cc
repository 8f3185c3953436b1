// Messages as JSON and back.
#include "services/gateway/http/json.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "peiling/access/v1/identity.pb.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/intake/v1/intake.pb.h"

namespace peiling::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// "field: what is wrong" of all that is.
template <typename MessageType>
std::vector<std::string> Problems(std::string_view json, MessageType* message = nullptr) {
  MessageType scratch;
  status::BadRequest bad;
  const absl::Status read = ReadJson(json, message == nullptr ? scratch : *message, bad);
  if (!read.ok()) return {status::Reason(read)};
  std::vector<std::string> problems;
  for (const auto& [field, description] : status::FieldViolations(bad.ToStatus()))
    problems.push_back(absl::StrCat(field, ": ", description));
  return problems;
}

TEST(WriteJson, HasDefaultsAndLeavesOutWhatIsNotSet) {
  EXPECT_EQ(WriteJson(analytics::v1::Figure()), R"({"k":"0","n":"0","share":0})");
  EXPECT_EQ(WriteJson(intake::v1::GetWaveResponse()), "{}");
  EXPECT_EQ(WriteJson(intake::v1::ListWavesResponse()), R"({"waves":[],"nextPageToken":""})");
  EXPECT_EQ(WriteJson(analytics::v1::Filter()), "{}");
}

TEST(WriteJson, WritesEachKindAsProtobufsOwnWriterDoes) {
  analytics::v1::Figure figure;
  figure.set_k(std::numeric_limits<int64_t>::min());
  figure.set_share(0.1);
  figure.set_percent(-5);
  EXPECT_EQ(WriteJson(figure), R"({"k":"-9223372036854775808","n":"0","share":0.1,"percent":-5})");

  intake::v1::ImportResponsesRequest piece;
  piece.set_content(std::string("\x00\xff\xfe", 3));
  EXPECT_EQ(WriteJson(piece), R"({"content":"AP/+"})");

  intake::v1::Response response;
  response.set_name("quote \" slash \\ line \n caf\u00e9");
  response.mutable_started_at()->set_seconds(1'650'000'000);
  response.mutable_started_at()->set_nanos(500'000'000);
  response.set_state(intake::v1::RESPONSE_STATE_SUBMITTED);
  response.set_test(true);
  response.set_sequence(std::numeric_limits<uint64_t>::max());
  response.mutable_answers();
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string theirs;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(response, &theirs, options).ok());
  intake::v1::Response back;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(WriteJson(response), &back).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(response, back)) << back.DebugString();
  const auto values = [](const std::string& json) {
    google::protobuf::Struct object;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &object).ok());
    return object;
  };
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(values(WriteJson(response)), values(theirs))) << theirs;
}

TEST(WriteJson, MapOfTextsIsAnObjectInTheOrderOfItsKeys) {
  fieldwork::v1::MailContent content;
  EXPECT_THAT(WriteJson(content), HasSubstr(R"("fields":{})"));
  for (const char* key : {"b", "a", "c\""}) (*content.mutable_fields())[key] = std::string("<") + key;
  EXPECT_THAT(WriteJson(content), HasSubstr(R"("fields":{"a":"<a","b":"<b","c\"":"<c\""})"));
}

TEST(WriteJson, NameOfTheContractGoesBeforeLowerCamelCase) {
  fieldwork::v1::UnsubscribeRequest request;
  request.set_list_unsubscribe("One-Click");
  EXPECT_EQ(WriteJson(request), R"({"token":"","List-Unsubscribe":"One-Click"})");
  fieldwork::v1::UnsubscribeRequest read;
  EXPECT_THAT(Problems(R"({"List-Unsubscribe": "One-Click"})", &read), ElementsAre());
  EXPECT_EQ(read.list_unsubscribe(), "One-Click");
  EXPECT_THAT(Problems<fieldwork::v1::UnsubscribeRequest>(R"({"listUnsubscribe": ""})"),
              ElementsAre("#/listUnsubscribe: is not known here"));
  EXPECT_THAT(Problems<fieldwork::v1::UnsubscribeRequest>(R"({"list_unsubscribe": 1})"), ElementsAre("#/list_unsubscribe: want a text"));
}

TEST(WriteJson, NumbersThatAreNone) {
  analytics::v1::Figure figure;
  for (const auto& [number, text] :
       {std::pair(std::numeric_limits<double>::quiet_NaN(), "\"NaN\""), std::pair(std::numeric_limits<double>::infinity(), "\"Infinity\""),
        std::pair(-std::numeric_limits<double>::infinity(), "\"-Infinity\"")}) {
    figure.set_share(number);
    EXPECT_THAT(WriteJson(figure), HasSubstr(absl::StrCat(R"("share":)", text)));
  }
}

TEST(WriteJson, EnumOfLaterVersionIsItsNumber) {
  intake::v1::Response response;
  response.set_state(static_cast<intake::v1::ResponseState>(77));
  EXPECT_THAT(WriteJson(response), HasSubstr(R"("state":77)"));
}

TEST(ReadJson, ReadsWhatItWrites) {
  intake::v1::SubmitResponseRequest request;
  EXPECT_THAT(Problems(R"({
      "parent": "surveys/s/waves/w", "request_id": "r-1", "validateOnly": true,
      "response": {"startedAt": "2022-04-14T12:00:00.25+02:00", "language": "nl", "lastSection": 3, "test": false, "sequence": "18446744073709551615",
                   "state": "RESPONSE_STATE_SUBMITTED", "name": null, "issues": []}})",
                       &request),
              ElementsAre());
  EXPECT_EQ(request.request_id(), "r-1");
  EXPECT_EQ(request.response().started_at().seconds(), 1'649'930'400);
  EXPECT_EQ(request.response().started_at().nanos(), 250'000'000);
  EXPECT_EQ(request.response().sequence(), std::numeric_limits<uint64_t>::max());
  intake::v1::SubmitResponseRequest again;
  EXPECT_THAT(Problems(WriteJson(request), &again), ElementsAre());
  EXPECT_EQ(again.SerializeAsString(), request.SerializeAsString());
}

TEST(ReadJson, TakesNumbersAsProto3JsonHasThem) {
  struct Case {
    const char* json;
    int64_t k;
  };
  for (const Case& c : std::vector<Case>{
           {"12", 12}, {"\"12\"", 12}, {"-9223372036854775808", INT64_MIN}, {"1e3", 1000}, {"2.0", 2}, {"\"1e2\"", 100}, {"null", 0}}) {
    analytics::v1::Figure figure;
    EXPECT_THAT(Problems(absl::StrCat(R"({"k": )", c.json, "}"), &figure), ElementsAre()) << c.json;
    EXPECT_EQ(figure.k(), c.k) << c.json;
  }
  analytics::v1::Figure figure;
  EXPECT_THAT(Problems(R"({"share": "-Infinity"})", &figure), ElementsAre());
  EXPECT_EQ(figure.share(), -std::numeric_limits<double>::infinity());
}

TEST(ReadJson, BytesAreBase64OfEitherKind) {
  for (const char* text : {"AP/+", "AP_-"}) {
    intake::v1::ImportResponsesRequest piece;
    EXPECT_THAT(Problems(absl::StrCat(R"({"content":")", text, "\"}"), &piece), ElementsAre());
    EXPECT_EQ(piece.content(), std::string("\x00\xff\xfe", 3));
  }
}

TEST(ReadJson, NamesWhatIsWrong) {
  struct Case {
    const char* json;
    std::string problem;
  };
  for (const Case& c : std::vector<Case>{
           {R"({"nonsense": 1})", "#/nonsense: is not known here"},
           {R"({"nonsense": {"a": [1, {"b": 2}]}})", "#/nonsense: is not known here"},
           {R"({"parent": 5})", "#/parent: want a text"},
           {R"({"parent": true})", "#/parent: want a text"},
           {R"({"parent": {}})", "#/parent: want a text"},
           {R"({"parent": ["a"]})", "#/parent: want a text"},
           {R"({"validateOnly": "true"})", "#/validateOnly: want true or false"},
           {R"({"validateOnly": 1})", "#/validateOnly: want true or false"},
           {R"({"response": "x"})", "#/response: want an object"},
           {R"({"response": []})", "#/response: want an object"},
           {R"({"response": {"sequence": -1}})", "#/response/sequence: want a whole number from 0 to 18446744073709551615"},
           {R"({"response": {"lastSection": 1.5}})", "#/response/lastSection: want a whole number from -2147483648 to 2147483647"},
           {R"({"response": {"lastSection": 3000000000}})", "#/response/lastSection: want a whole number from -2147483648 to 2147483647"},
           {R"({"response": {"lastSection": "nan"}})", "#/response/lastSection: want a whole number from -2147483648 to 2147483647"},
           {R"({"response": {"lastSection": " 1"}})", "#/response/lastSection: want a whole number from -2147483648 to 2147483647"},
           {R"({"response": {"startedAt": "yesterday"}})", "#/response/startedAt: want a time as 2022-01-31T12:00:00Z"},
           {R"({"response": {"startedAt": {"seconds": 1}}})", "#/response/startedAt: want a time as 2022-01-31T12:00:00Z"},
           {R"({"response": {"issues": {}}})", "#/response/issues: want a list"},
           {R"({"response": {"issues": 1}})", "#/response/issues: want a list"},
           {R"({"response": {"issues": [{}, null]}})", "#/response/issues/1: want an object"},
           {R"({"response": {"issues": [{}, {"x": 1}]}})", "#/response/issues/1/x: is not known here"},
           {R"({"response": {"issues": [[]]}})", "#/response/issues/0: want an object"},
           {R"({"parent": "a", "parent": "b"})", "#/parent: stands there twice"},
           {R"({"requestId": "a", "request_id": "b"})", "#/request_id: stands there twice"},
           {"[]", "#: want an object"},
           {"5", "#: want an object"},
           {"null", "#: want an object"},
           {"\"x\"", "#: want an object"},
       }) {
    EXPECT_THAT(Problems<intake::v1::SubmitResponseRequest>(c.json), ElementsAre(c.problem)) << c.json;
  }
  EXPECT_THAT(Problems<intake::v1::SubmitResponseRequest>(R"({"response": {"state": "X"}})"),
              ElementsAre(HasSubstr("#/response/state: want one of RESPONSE_STATE_UNSPECIFIED, RESPONSE_STATE_STARTED")));
  EXPECT_THAT(Problems<intake::v1::ImportResponsesRequest>(R"({"content": "*"})"), ElementsAre("#/content: want bytes in base64"));
  EXPECT_THAT(Problems<analytics::v1::Filter>(R"({"complete": true, "stratum": {}})"),
              ElementsAre("#/stratum: does not go together with complete"));
}

TEST(ReadJson, NamesAllThatIsWrongAtOnce) {
  EXPECT_THAT(Problems<intake::v1::SubmitResponseRequest>(
                  R"({"a": 1, "parent": 2, "response": {"b": {}, "test": 3, "issues": [4, {"c": 5}, 6]}, "d": []})"),
              ElementsAre("#/a: is not known here", "#/parent: want a text", "#/response/b: is not known here",
                          "#/response/test: want true or false", "#/response/issues/0: want an object",
                          "#/response/issues/1/c: is not known here", "#/response/issues/2: want an object", "#/d: is not known here"));
}

TEST(ReadJson, PointsAtNamesAsTheyStandThere) {
  EXPECT_THAT(Problems<intake::v1::SubmitResponseRequest>(
                  R"({"request_id": 1, "response": {"startedAt": 2, "last_section": "x", "a/b~c.d": 3}, "": 4})"),
              ElementsAre("#/request_id: want a text", HasSubstr("#/response/startedAt: "), HasSubstr("#/response/last_section: "),
                          "#/response/a~1b~0c.d: is not known here", "#/: is not known here"));
}

TEST(ReadJson, RefusesWhatIsNoJson) {
  for (const std::string& json :
       {std::string(""), std::string("{"), std::string("{}{}"), std::string("{} x"), std::string("{'a': 1}"), std::string(R"({"a": 01})"),
        std::string(R"({"a": })"), std::string(R"({"a": 1,})"), std::string("{\"a\": \"\xff\"}"), std::string("{\"a\": \"\n\"}"),
        std::string(R"({"a": "\ud800"})"), std::string("{}\0", 3), std::string("\xef\xbb\xbf{}"), std::string(R"({"a": NaN})"),
        std::string("nul")}) {
    EXPECT_THAT(Problems<intake::v1::SubmitResponseRequest>(json), ElementsAre("BODY_MALFORMED")) << json;
  }
}

TEST(ReadJson, DepthIsBounded) {
  const auto nested = [](int depth) {
    std::string json = R"({"x": )";
    for (int i = 0; i < depth; ++i) json += i % 2 == 0 ? "[" : R"({"a": )";
    json += "1";
    for (int i = depth - 1; i >= 0; --i) json += i % 2 == 0 ? "]" : "}";
    return json + "}";
  };
  EXPECT_THAT(Problems<intake::v1::SubmitResponseRequest>(nested(kMaxJsonDepth - 1)), ElementsAre("#/x: is not known here"));
  EXPECT_THAT(Problems<intake::v1::SubmitResponseRequest>(nested(kMaxJsonDepth)), ElementsAre("BODY_MALFORMED"));
  EXPECT_THAT(Problems<intake::v1::SubmitResponseRequest>(nested(1'000'000)), ElementsAre("BODY_MALFORMED"));
}

TEST(ReadJson, OfVeryManyMistakesSomeAreNamed) {
  std::string json = R"({"response": {"issues": [)";
  for (int i = 0; i < 100'000; ++i) absl::StrAppend(&json, i == 0 ? "" : ",", "1");
  EXPECT_GT(Problems<intake::v1::SubmitResponseRequest>(json + "]}}").size(), 10);
}

}  // namespace
}  // namespace peiling::gateway
