#include "services/common/log/log.h"

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rapidjson/document.h"

namespace peiling::log {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

template <typename Function>
std::vector<std::string> LinesOf(Function write) {
  testing::internal::CaptureStderr();
  write();
  const std::string text = testing::internal::GetCapturedStderr();
  std::vector<std::string> lines;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

TEST(Log, LineIsOneJsonObjectWithTimeLevelServiceMessageAndFields) {
  Init("peiling-intake", Level::kInfo);
  const auto lines = LinesOf([] { Info("wave opened", {{"wave", "surveys/s/waves/w"}, {"quote", "a \"b\"\nc"}}); });
  ASSERT_EQ(lines.size(), 1u);
  rapidjson::Document json;
  ASSERT_FALSE(json.Parse(lines[0].c_str()).HasParseError()) << lines[0];
  EXPECT_THAT(json["time"].GetString(), MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z"));
  EXPECT_STREQ(json["level"].GetString(), "info");
  EXPECT_STREQ(json["service"].GetString(), "peiling-intake");
  EXPECT_STREQ(json["message"].GetString(), "wave opened");
  EXPECT_STREQ(json["wave"].GetString(), "surveys/s/waves/w");
  EXPECT_STREQ(json["quote"].GetString(), "a \"b\"\nc");
}

TEST(Log, WritesNothingBelowTheLeastLevel) {
  Init("test", Level::kWarning);
  EXPECT_EQ(LinesOf([] { Info("no"); }).size(), 0u);
  EXPECT_EQ(LinesOf([] {
              Warning("yes");
              Error("yes");
            }).size(),
            2u);
}

TEST(Log, TextThatIsNotUtf8StaysReadableJson) {
  Init("test", Level::kInfo);
  const auto lines = LinesOf([] { Info("caf\xe9", {{"dutch", "caf\xc3\xa9"}}); });
  ASSERT_EQ(lines.size(), 1u);
  rapidjson::Document json;
  ASSERT_FALSE(json.Parse<rapidjson::kParseValidateEncodingFlag>(lines[0].c_str()).HasParseError()) << lines[0];
  EXPECT_STREQ(json["message"].GetString(), "caf\\xe9");
  EXPECT_STREQ(json["dutch"].GetString(), "caf\xc3\xa9");
}

TEST(Log, LinesOfManyThreadsStayWhole) {
  Init("test", Level::kInfo);
  const auto lines = LinesOf([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 200; ++i) Info("x", {{"i", std::to_string(i)}});
      });
    }
    for (auto& thread : threads) thread.join();
  });
  EXPECT_EQ(lines.size(), 800u);
  for (const auto& line : lines) {
    rapidjson::Document json;
    EXPECT_FALSE(json.Parse(line.c_str()).HasParseError()) << line;
  }
}

}  // namespace
}  // namespace peiling::log
