#include "services/gateway/identity/json.h"

#include <string>

#include "gtest/gtest.h"

namespace peiling::gateway {
namespace {

std::string Nested(int levels) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += R"({"a":[)";
  for (int i = 0; i < levels; ++i) text += "]}";
  return text;
}

TEST(Json, TakesObjectsAlone) {
  for (const char* text : {"{}", R"({"a":1,"b":{"a":[{"a":null}]}})", R"( {"é":"\u00e9"} )"})
    EXPECT_TRUE(ParseJsonObject(text).ok()) << text;
  for (const char* text : {"", "[]", "1", "null", "\"a\"", "{", "{}{}", "{} x", "{'a':1}", "{a:1}", R"({"a":1,})", "{/**/}", R"({"a":NaN})",
                           "{\"a\":\"\xff\"}", "{\"a\":\"\xc3\"}", R"({"a":"\ud800"})"}) {
    EXPECT_FALSE(ParseJsonObject(text).ok()) << text;
  }
  EXPECT_FALSE(ParseJsonObject(std::string_view("{}\0", 3)).ok());
}

TEST(Json, ANameThatIsThereTwiceIsRefusedAtEveryLevel) {
  EXPECT_FALSE(ParseJsonObject(R"({"a":1,"a":1})").ok());
  EXPECT_FALSE(ParseJsonObject(R"({"a":1,"\u0061":2})").ok());
  EXPECT_FALSE(ParseJsonObject(R"({"x":[0,{"a":1,"b":2,"a":3}]})").ok());
  EXPECT_TRUE(ParseJsonObject(R"({"a":1,"a\u0000":2,"A":3})").ok());
}

TEST(Json, NestingIsBounded) {
  EXPECT_TRUE(ParseJsonObject(Nested(8)).ok());
  EXPECT_FALSE(ParseJsonObject(Nested(9)).ok());
  EXPECT_FALSE(ParseJsonObject(Nested(1'000'000)).ok());
  EXPECT_FALSE(ParseJsonObject(std::string(1'000'000, '[')).ok());
}

TEST(Json, MembersAreFoundByTheirWholeName) {
  const auto document = ParseJsonObject(R"({"kid":"a","kid\u0000":"b","n":1})");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(TextOf(*document, "kid"), "a");
  EXPECT_EQ(TextOf(*document, std::string_view("kid\0", 4)), "b");
  EXPECT_EQ(TextOf(*document, "n"), std::nullopt);
  EXPECT_EQ(TextOf(*document, "none"), std::nullopt);
}

TEST(Json, Base64UrlHasOneTextForEachBytes) {
  EXPECT_EQ(DecodeBase64Url(""), "");
  EXPECT_EQ(DecodeBase64Url("YQ"), "a");
  EXPECT_EQ(DecodeBase64Url("-_-_"), "\xfb\xff\xbf");
  for (const char* text : {"YQ==", "YQ=", "Y", "YR", "Y Q", "YQ\n", "+/+/", "Y.Q", "\xff\xff\xff\xff"}) {
    EXPECT_EQ(DecodeBase64Url(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace peiling::gateway
