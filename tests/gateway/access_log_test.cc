#include "services/gateway/access_log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "rapidjson/document.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest() {
    std::string pattern = testing::TempDir() + "access_log_XXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/access.log";
  }
  ~AccessLogTest() override { std::filesystem::remove_all(directory_); }

  static AccessRecord Record(const std::string& method) {
    return {.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'648'080'000'500)),
            .protocol = "grpc",
            .method = method,
            .code = "PERMISSION_DENIED",
            .reason = "ROLE_MISSING",
            .subject = "keys/a",
            .roles = "analyst,researcher",
            .origin = "127.0.0.1",
            .request_id = "r-1",
            .trace_id = "0af7651916cd43dd8448eb211c80319c",
            .seconds = 0.0125,
            .request_bytes = 12,
            .response_bytes = 34};
  }
  static std::vector<std::string> Lines(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(AccessLogTest, LineIsOneObjectWithAllThatIsKnown) {
  (*AccessLog::Open(path_))->Write(Record("/s/M"));
  ASSERT_EQ(Lines(path_).size(), 1u);
  EXPECT_EQ(Lines(path_)[0],
            R"({"time":"2022-03-24T00:00:00.500000Z","message":"access","protocol":"grpc","method":"s/M","code":"PERMISSION_DENIED",)"
            R"("reason":"ROLE_MISSING","subject":"keys/a","roles":"analyst,researcher","origin":"127.0.0.1","request_id":"r-1",)"
            R"("trace_id":"0af7651916cd43dd8448eb211c80319c","milliseconds":12.5,"request_bytes":12,"response_bytes":34})");
}

TEST_F(AccessLogTest, WhatACallerSendsBreaksNoLine) {
  for (const std::string& method : {std::string("/\n\"}{"), std::string("\xff\xfe\x00", 3), std::string(100'000, 'x')}) {
    (*AccessLog::Open(path_))->Write(Record(method));
  }
  const auto lines = Lines(path_);
  ASSERT_EQ(lines.size(), 3u);
  for (const std::string& line : lines) {
    EXPECT_LT(line.size(), 1500u);
    EXPECT_FALSE(rapidjson::Document().Parse(line.c_str()).HasParseError()) << line;
  }
}

TEST_F(AccessLogTest, FileThatWasRenamedIsOpenedAnew) {
  const auto log = *AccessLog::Open(path_);
  log->Write(Record("/s/First"));
  while (Lines(path_).empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::filesystem::rename(path_, path_ + ".1");
  log->Write(Record("/s/Second"));
  while (!std::filesystem::exists(path_) || Lines(path_).empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(Lines(path_ + ".1").size(), 1u);
  EXPECT_NE(Lines(path_)[0].find("s/Second"), std::string::npos);
}

TEST_F(AccessLogTest, LinesThatAreDroppedAreCounted) {
  // A pipe that nobody reads takes some lines, and then no more.
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  std::ifstream reader;
  std::thread opening([&] { reader.open(path_); });
  auto log = *AccessLog::Open(path_);
  opening.join();
  for (int i = 0; i < 100'000; ++i) log->Write(Record("/s/M"));
  std::thread ending([&] { log.reset(); });
  size_t lines = 0, dropped = 0;
  for (std::string line; std::getline(reader, line); ++lines) {
    rapidjson::Document document;
    document.Parse(line.c_str());
    ASSERT_FALSE(document.HasParseError()) << line;
    if (!document.HasMember("lines")) continue;
    dropped += document["lines"].GetUint64();
    --lines;
  }
  ending.join();
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(lines + dropped, 100'000u);
}

TEST_F(AccessLogTest, OffWritesNothingAndAFileThatCannotBeIsAnError) {
  const auto off = *AccessLog::Open("off");
  EXPECT_FALSE(off->on());
  off->Write(Record("/s/M"));
  EXPECT_EQ(status::Reason(AccessLog::Open(directory_ + "/none/access.log").status()), "ACCESS_LOG_UNUSABLE");
}

}  // namespace
}  // namespace peiling::gateway
