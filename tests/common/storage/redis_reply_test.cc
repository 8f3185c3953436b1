// What errors of Redis mean.
#include "services/common/storage/redis_reply.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

using Next = RedisOutcome::Next;

// What a server sends, as a reply.
RedisReply Parse(const std::string& bytes) {
  redisReader* reader = redisReaderCreate();
  redisReaderFeed(reader, bytes.data(), bytes.size());
  void* reply = nullptr;
  redisReaderGetReply(reader, &reply);
  redisReaderFree(reader);
  return RedisReply(static_cast<redisReply*>(reply));
}

TEST(RedisReply, ErrorsMeanWhatIsToBeDone) {
  struct Case {
    std::string text;
    absl::StatusCode code;
    std::string reason;
    Next next;
  };
  const Case cases[] = {
      {"READONLY You can't write against a read only replica.", absl::StatusCode::kUnavailable, "STORAGE_READ_ONLY", Next::kTryAgain},
      {"LOADING Redis is loading the dataset in memory", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
      {"MASTERDOWN Link with MASTER is down", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
      {"CLUSTERDOWN The cluster is down", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
      {"TRYAGAIN Multiple keys request during rehashing of slot", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
      {"BUSY Redis is busy running a script.", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
      {"NOSCRIPT No matching script.", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kSendWhole},
      {"NOREPLICAS Not enough good replicas to write.", absl::StatusCode::kUnavailable, "STORAGE_NOT_REPLICATED", Next::kFinal},
      {"OOM command not allowed when used memory > 'maxmemory'.", absl::StatusCode::kResourceExhausted, "STORAGE_FULL", Next::kFinal},
      {"MISCONF Errors writing to the AOF file: No space left on device", absl::StatusCode::kResourceExhausted, "STORAGE_FULL",
       Next::kFinal},
      {"MISCONF Redis is configured to save RDB snapshots", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kFinal},
      {"NOAUTH Authentication required.", absl::StatusCode::kUnavailable, "STORAGE_ACCESS", Next::kFinal},
      {"NOPERM this user has no permissions", absl::StatusCode::kUnavailable, "STORAGE_ACCESS", Next::kFinal},
      {"WRONGTYPE Operation against a key", absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", Next::kFinal},
      {"ERR something new", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kFinal},
      {"MOVED 3999 nonsense", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
  };
  for (const Case& c : cases) {
    const RedisOutcome outcome = RedisOutcome::Of(Parse("-" + c.text + "\r\n"));
    EXPECT_EQ(outcome.status.code(), c.code) << c.text;
    EXPECT_EQ(status::Reason(outcome.status), c.reason) << c.text;
    EXPECT_EQ(outcome.next, c.next) << c.text;
  }
}

TEST(RedisReply, RedirectionsSayWhere) {
  const RedisOutcome moved = RedisOutcome::Of(Parse("-MOVED 3999 10.0.0.1:6381\r\n"));
  EXPECT_EQ(moved.next, Next::kRedirected);
  EXPECT_EQ(moved.redirect.endpoint.ToString(), "10.0.0.1:6381");
  EXPECT_FALSE(moved.redirect.ask);
  const RedisOutcome ask = RedisOutcome::Of(Parse("-ASK 3999 ::1:6381\r\n"));
  EXPECT_EQ(ask.next, Next::kRedirected);
  EXPECT_EQ(ask.redirect.endpoint.ToString(), "[::1]:6381");
  EXPECT_TRUE(ask.redirect.ask);
}

TEST(RedisReply, ValuesAreReadForWhatTheyAre) {
  const RedisReply reply = Parse("*4\r\n:-7\r\n$2\r\n42\r\n$-1\r\n+OK\r\n");
  ASSERT_NE(reply, nullptr);
  EXPECT_EQ(Size(*reply), 4u);
  EXPECT_EQ(Number(At(*reply, 0)), -7);
  EXPECT_EQ(Number(At(*reply, 1)), 42);
  EXPECT_EQ(Number(At(*reply, 2)), 0);
  EXPECT_EQ(Text(At(*reply, 0)), "");
  EXPECT_EQ(Text(At(*reply, 3)), "OK");
  EXPECT_EQ(Size(At(*reply, 3)), 0u);
  EXPECT_EQ(Text(*reply), "");
}

}  // namespace
}  // namespace peiling::storage
