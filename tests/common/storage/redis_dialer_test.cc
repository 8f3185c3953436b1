// What a server's INFO says.
#include "services/common/storage/redis_dialer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace peiling::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(RedisDialer, FollowersAreThoseWhoHaveCaughtUp) {
  EXPECT_THAT(FollowingReplicas("role:master\r\nconnected_slaves:0\r\n"), IsEmpty());
  EXPECT_THAT(FollowingReplicas("role:master\r\nconnected_slaves:3\r\n"
                                "slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0\r\n"
                                "slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\n"
                                "slave2:ip=redis-2.redis,port=7000,state=online,offset=14,lag=1\r\n"),
              ElementsAre(RedisEndpoint{"10.0.0.2", 6379}, RedisEndpoint{"redis-2.redis", 7000}));
  EXPECT_THAT(FollowingReplicas("slave0:ip=::1,port=6379,state=online,offset=1,lag=0"), ElementsAre(RedisEndpoint{"::1", 6379}));
}

TEST(RedisDialer, WhatIsNoInfoNamesNobody) {
  for (const std::string info : {"", ",state=online,", "port=1,state=online,", "ERR no"}) EXPECT_THAT(FollowingReplicas(info), IsEmpty());
}

}  // namespace
}  // namespace peiling::storage
