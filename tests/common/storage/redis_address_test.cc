// Addresses of a Redis, right and wrong.
#include "services/common/storage/redis_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

using ::testing::ElementsAreArray;
using Kind = RedisAddress::Kind;

TEST(RedisAddress, EndpointsAreReadWithTheirUsualPorts) {
  struct Case {
    std::string address;
    Kind kind;
    bool tls;
    std::vector<RedisEndpoint> endpoints;
    int wait;
    bool wait_all = false;
  };
  const Case cases[] = {
      {"redis://db", Kind::kServer, false, {{"db", 6379}}, 0},
      {"redis://db:7000/", Kind::kServer, false, {{"db", 7000}}, 0},
      {"rediss://[::1]:7000/3", Kind::kServer, true, {{"::1", 7000}}, 0},
      {"redis://[fe80::1]", Kind::kServer, false, {{"fe80::1", 6379}}, 0},
      {"redis+sentinel://a,b:7000/peiling", Kind::kSentinel, false, {{"a", 26379}, {"b", 7000}}, 1, true},
      {"redis+sentinel://a/peiling?wait=all", Kind::kSentinel, false, {{"a", 26379}}, 1, true},
      {"rediss+sentinel://a/peiling?wait=0", Kind::kSentinel, true, {{"a", 26379}}, 0},
      {"redis+cluster://a,b,c", Kind::kCluster, false, {{"a", 6379}, {"b", 6379}, {"c", 6379}}, 1},
      {"rediss+cluster://a?wait=2", Kind::kCluster, true, {{"a", 6379}}, 2},
  };
  for (const Case& c : cases) {
    auto address = ParseRedisAddress(c.address);
    ASSERT_TRUE(address.ok()) << c.address << ": " << address.status();
    EXPECT_EQ(address->kind, c.kind) << c.address;
    EXPECT_EQ(address->tls, c.tls) << c.address;
    EXPECT_THAT(address->endpoints, ElementsAreArray(c.endpoints)) << c.address;
    EXPECT_EQ(address->wait, c.wait) << c.address;
    EXPECT_EQ(address->wait_all, c.wait_all) << c.address;
  }
}

TEST(RedisAddress, EveryPartIsRead) {
  auto address = ParseRedisAddress(
      "rediss+sentinel://pei%20ling@a:1,b:2/the%2Fname?password-file=/run/p%26w&sentinel-password-file=/run/s&ca=/ca&cert=/cert&key=/key"
      "&server-name=redis.example&wait=2&wait-timeout-ms=50&timeout-ms=700&pool=3&fsync=any");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->user, "pei ling");
  EXPECT_EQ(address->primary, "the/name");
  EXPECT_EQ(address->password_file, "/run/p&w");
  EXPECT_EQ(address->sentinel_password_file, "/run/s");
  EXPECT_EQ(address->ca_file, "/ca");
  EXPECT_EQ(address->cert_file, "/cert");
  EXPECT_EQ(address->key_file, "/key");
  EXPECT_EQ(address->server_name, "redis.example");
  EXPECT_EQ(address->wait, 2);
  EXPECT_EQ(address->wait_timeout.count(), 50);
  EXPECT_EQ(address->timeout.count(), 700);
  EXPECT_EQ(address->pool, 3);
  EXPECT_FALSE(address->fsync_always);

  auto plain = ParseRedisAddress("redis://a/5");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->db, 5);
  EXPECT_TRUE(plain->fsync_always);
  EXPECT_EQ(plain->user, "");
}

TEST(RedisAddress, AllMistakesAreNamedAtOnce) {
  struct Case {
    std::string address;
    std::vector<std::string> fields;
  };
  const Case cases[] = {
      {"redis://", {"host"}},
      {"redis://a,b", {"host"}},
      {"redis://a:0", {"host", "host"}},
      {"redis://a:x/y", {"db", "host", "host"}},
      {"redis://:6379", {"host", "host"}},
      {"redis+sentinel://a", {"name"}},
      {"redis+cluster://a/1", {"db"}},
      {"redis://user:secret@a", {"user"}},
      {"redis://a?ca=/ca", {"ca"}},
      {"rediss://a?cert=/cert", {"cert"}},
      {"redis://a?sentinel-password-file=/p", {"sentinel-password-file"}},
      {"redis://us%2er@a?password-file=%&wait=17&pool=0&timeout-ms=&fsync=never&colour=red",
       {"password-file", "wait", "pool", "timeout-ms", "fsync", "colour"}},
      {"redis://a?wait=all", {"wait"}},
      {"redis://a?wait-timeout-ms=60001&wait=-1&wait=1x", {"wait-timeout-ms", "wait", "wait"}},
  };
  for (const Case& c : cases) {
    auto address = ParseRedisAddress(c.address);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << c.address;
    EXPECT_EQ(status::Reason(address.status()), "STORAGE_ADDRESS") << c.address;
    std::vector<std::string> fields;
    for (const auto& [field, description] : status::FieldViolations(address.status())) fields.push_back(field);
    EXPECT_THAT(fields, ElementsAreArray(c.fields)) << c.address;
    EXPECT_EQ(std::string(address.status().message()).find("secret"), std::string::npos);
  }
}

TEST(RedisAddress, OtherStoresAreNotRedis) {
  for (const char* address : {"redis://a", "rediss://a", "redis+sentinel://a/b", "rediss+cluster://a"})
    EXPECT_TRUE(IsRedisAddress(address));
  for (const char* address : {"", "redis", "redis:a", "sqlite:redis://a", "Redis://a"}) EXPECT_FALSE(IsRedisAddress(address)) << address;
}

TEST(RedisAddress, ThePasswordIsInAFileOrTheEnvironment) {
  const std::string file = (std::filesystem::temp_directory_path() / ("peiling-password-" + std::to_string(getpid()))).string();
  std::ofstream(file) << "from file\r\n";
  RedisAddress address;
  unsetenv("PEILING_REDIS_PASSWORD");
  EXPECT_EQ(*RedisPassword(address), "");
  setenv("PEILING_REDIS_PASSWORD", "from environment", 1);
  EXPECT_EQ(*RedisPassword(address), "from environment");
  // Sentinels are others than servers.
  EXPECT_EQ(*SentinelPassword(address), "");
  address.password_file = file;
  address.sentinel_password_file = file;
  EXPECT_EQ(*RedisPassword(address), "from file");
  EXPECT_EQ(*SentinelPassword(address), "from file");
  std::filesystem::remove(file);
  EXPECT_EQ(status::Reason(RedisPassword(address).status()), "STORAGE_ACCESS");
  unsetenv("PEILING_REDIS_PASSWORD");
}

}  // namespace
}  // namespace peiling::storage
