// The Redis store on one server: what it refuses, what it says when the server is ill, and what is there after a crash.
#include "services/common/storage/redis_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/common/status/errors.h"
#include "tests/contract/redis_faults.h"
#include "tests/contract/redis_servers.h"

namespace peiling::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(RedisStore, RefusesServersThatWouldLoseData) {
  struct Case {
    const char* name;
    const char* setting;
    const char* value;
    const char* reason;
  };
  const Case cases[] = {
      {"not every write on disk", "appendfsync", "everysec", "STORAGE_NOT_DURABLE"},
      {"no file", "appendonly", "no", "STORAGE_NOT_DURABLE"},
      {"throws away anything", "maxmemory-policy", "allkeys-lru", "STORAGE_EVICTS"},
      {"throws away what expires", "maxmemory-policy", "volatile-ttl", "STORAGE_EVICTS"},
  };
  const RedisServer server;
  const std::string address = "redis://" + server.endpoint();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string before = server.Ask({"CONFIG", "GET", c.setting}).substr(std::string(c.setting).size() + 1);
    ASSERT_EQ(server.Ask({"CONFIG", "SET", c.setting, c.value}), "OK");
    auto store = OpenStore(address, "test");
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition) << store.status();
    EXPECT_EQ(status::Reason(store.status()), c.reason);
    EXPECT_THAT(std::string(store.status().message()), HasSubstr(server.endpoint()));
    EXPECT_EQ(OpenStore(address + "?fsync=any", "test").ok(), std::string(c.reason) == "STORAGE_NOT_DURABLE");
    ASSERT_EQ(server.Ask({"CONFIG", "SET", c.setting, before}), "OK");
  }
  EXPECT_TRUE(OpenStore(address, "test").ok());
}

TEST(RedisStore, RefusesToBeLetInByHalves) {
  TlsRedis redis;
  std::ofstream(redis.folder() / "wrong") << "not the secret";
  std::ofstream(redis.folder() / "empty") << "\n";
  for (const char* password : {"wrong", "empty", "missing"}) {
    auto store = OpenStore(redis.AddressWith(redis.folder() / password), "test");
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition) << password << ": " << store.status();
    EXPECT_EQ(status::Reason(store.status()), "STORAGE_ACCESS");
  }
  // Another owner's keys are not this user's.
  auto other = OpenStore(redis.address(), "intake");
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(status::Reason(Put(**other, "a")), "STORAGE_ACCESS");
  // Without a right that is needed to see whether writes are durable.
  redis.server().Ask({"ACL", "SETUSER", "peiling", "-config|get"});
  auto blind = OpenStore(redis.address(), "test");
  EXPECT_EQ(status::Reason(blind.status()), "STORAGE_ACCESS");
  EXPECT_THAT(std::string(blind.status().message()), HasSubstr("fsync=any"));
  EXPECT_TRUE(OpenStore(redis.address() + "&fsync=any", "test").ok());
}

TEST(RedisStore, AChangedPasswordIsReadAnew) {
  TlsRedis redis;
  auto store = Opened(redis.address());
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(Put(*store, "a").ok());
  redis.server().Ask({"ACL", "SETUSER", "peiling", "resetpass", ">changed"});
  redis.server().Ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_EQ(status::Reason(Put(*store, "b")), "STORAGE_ACCESS");
  AwaitReason("STORAGE_ACCESS", [&] { return store->Health(); });
  std::ofstream(redis.folder() / "password") << "changed\n";
  AwaitReason("", [&] { return Put(*store, "b"); });
  AwaitReason("", [&] { return store->Health(); });
}

TEST(RedisStore, OpeningGivesUpAfterAWhileAndSaysWhy) {
  const RedisServer primary, silent;
  const RedisServer replica({"replicaof 127.0.0.1 " + std::to_string(primary.port())});
  Await(primary, {"INFO", "replication"}, "state=online");
  silent.Pause();
  TlsRedis tls;
  struct Case {
    std::string address, reason;
  };
  const Case cases[] = {
      {"redis://127.0.0.1:" + std::to_string(FreePort()), "STORAGE_UNAVAILABLE"},
      {"redis+sentinel://127.0.0.1:" + std::to_string(FreePort()) + "/peiling", "STORAGE_UNAVAILABLE"},
      {"redis+cluster://" + primary.endpoint(), "STORAGE_UNAVAILABLE"},
      {"redis://" + silent.endpoint() + "?timeout-ms=300", "STORAGE_UNAVAILABLE"},
      {"redis://" + replica.endpoint(), "STORAGE_READ_ONLY"},
      {tls.AddressWith(tls.folder() / "password", "stranger"), "STORAGE_ACCESS"},
  };
  // All at once: each takes ten seconds.
  std::vector<std::future<absl::Status>> opened;
  const auto begin = steady_clock::now();
  for (const Case& c : cases) opened.push_back(std::async(std::launch::async, [&c] { return OpenStore(c.address, "test").status(); }));
  for (size_t i = 0; i < opened.size(); ++i) {
    const absl::Status status = opened[i].get();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << cases[i].address << ": " << status;
    EXPECT_EQ(status::Reason(status), cases[i].reason) << cases[i].address << ": " << status;
  }
  EXPECT_LT(steady_clock::now() - begin, seconds(15));
}

TEST(RedisStore, OpeningWaitsForAServerThatIsStarting) {
  RedisServer server;
  server.Kill();
  auto opened = std::async(std::launch::async, [&] { return OpenStore("redis://" + server.endpoint(), "test"); });
  EXPECT_EQ(opened.wait_for(milliseconds(300)), std::future_status::timeout);
  server.Start();
  auto store = opened.get();
  EXPECT_TRUE(store.ok()) << store.status();
}

TEST(RedisStore, WhatWasAcknowledgedSurvivesAKilledServer) {
  RedisServer server;
  auto store = Opened("redis://" + server.endpoint());
  ASSERT_NE(store, nullptr);
  std::atomic<bool> stop = false;
  std::vector<std::vector<std::string>> acknowledged(4);
  std::vector<std::thread> writers;
  for (size_t writer = 0; writer < acknowledged.size(); ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; !stop; ++i) {
        const std::string key = std::to_string(writer) + "/" + std::to_string(i);
        const absl::Status status = Put(*store, key, key, {key});
        if (status.ok()) acknowledged[writer].push_back(key);
        EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kUnavailable) << status;
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(milliseconds(300));
    server.Kill();
    std::this_thread::sleep_for(milliseconds(100));
    server.Start();
    AwaitReason("", [&] { return Put(*store, "round " + std::to_string(round)); });
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  size_t count = 0;
  for (const auto& keys : acknowledged) {
    auto documents = store->GetMany(kWave, keys);
    ASSERT_TRUE(documents.ok()) << documents.status();
    for (size_t i = 0; i < keys.size(); ++i) {
      ASSERT_TRUE((*documents)[i].has_value()) << keys[i];
      auto events = store->ReadFeed(kWave, (*documents)[i]->sequence - 1, 1);
      ASSERT_TRUE(events.ok()) << events.status();
      ASSERT_THAT(*events, SizeIs(1));
      EXPECT_EQ(events->front().value, keys[i]);
    }
    count += keys.size();
  }
  EXPECT_GT(count, 20u);
  EXPECT_GE(*store->LastSequence(kWave), count);
}

TEST(RedisStore, ASilentServerIsNotWaitedForLong) {
  const RedisServer server;
  auto store = Opened("redis://" + server.endpoint() + "?timeout-ms=300");
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(Put(*store, "a").ok());
  server.Pause();
  const auto within = [](auto call) {
    const auto begin = steady_clock::now();
    EXPECT_EQ(status::Reason(call()), "STORAGE_UNAVAILABLE");
    EXPECT_LT(steady_clock::now() - begin, seconds(4));
  };
  within([&] { return Put(*store, "b"); });
  within([&] { return store->Get(kWave, "a").status(); });
  within([&] { return store->List(kWave, "", "", 10).status(); });
  within([&] { return store->LastSequence(kWave).status(); });
  within([&] { return store->WaitFeed(kWave, 0, milliseconds(10)).status(); });
  AwaitReason("STORAGE_UNAVAILABLE", [&] { return store->Health(); });
  server.Continue();
  AwaitReason("", [&] { return store->Health(); });
  EXPECT_TRUE(Put(*store, "c").ok());
}

TEST(RedisStore, TooManyCommitsAtOnceAreSentAway) {
  const RedisServer server;
  auto store = Opened("redis://" + server.endpoint() + "?timeout-ms=1500");
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(Put(*store, "a").ok());
  server.Pause();
  std::atomic<int> busy = 0, other = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 600; ++i) {
    callers.emplace_back([&, i] { ++(status::Reason(Put(*store, std::to_string(i))) == "STORAGE_BUSY" ? busy : other); });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_GT(busy, 0);
  EXPECT_GE(other, 512);
  server.Continue();
  AwaitReason("", [&] { return Put(*store, "b"); });
}

TEST(RedisStore, AFullServerTakesNothingByHalves) {
  const RedisServer server;
  auto store = Opened("redis://" + server.endpoint());
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(Put(*store, "a", "before", {"first"}).ok());
  ASSERT_EQ(server.Ask({"CONFIG", "SET", "maxmemory", "1mb"}), "OK");
  const absl::Status full = store->Commit({kWave, {{"b", std::nullopt}, {"a", "after", 1}, {"c", "new"}}, {}, {"second"}}).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(full), "STORAGE_FULL") << full;
  EXPECT_EQ((*store->Get(kWave, "a"))->value, "before");
  EXPECT_FALSE((*store->Get(kWave, "c")).has_value());
  EXPECT_THAT(*store->ReadFeed(kWave, 0, 10), SizeIs(1));
  AwaitReason("STORAGE_FULL", [&] { return store->Health(); });
  ASSERT_EQ(server.Ask({"CONFIG", "SET", "maxmemory", "0"}), "OK");
  EXPECT_TRUE(Put(*store, "a", "after").ok());
  AwaitReason("", [&] { return store->Health(); });
}

TEST(RedisStore, HealthNoticesWhatChangesInAQuietServer) {
  const RedisServer other, server;
  auto store = Opened("redis://" + server.endpoint());
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(store->Health().ok());
  struct Case {
    std::vector<std::string> spoil;
    const char* reason;
    std::vector<std::string> mend;
  };
  const Case cases[] = {
      {{"CONFIG", "SET", "appendfsync", "no"}, "STORAGE_NOT_DURABLE", {"CONFIG", "SET", "appendfsync", "always"}},
      {{"CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"}, "STORAGE_EVICTS", {"CONFIG", "SET", "maxmemory-policy", "noeviction"}},
      {{"REPLICAOF", "127.0.0.1", std::to_string(other.port())}, "STORAGE_READ_ONLY", {"REPLICAOF", "NO", "ONE"}},
  };
  for (const Case& c : cases) {
    server.Ask(c.spoil);
    AwaitReason(c.reason, [&] { return store->Health(); });
    server.Ask(c.mend);
    AwaitReason("", [&] { return store->Health(); });
  }
}

TEST(RedisStore, AReplicaIsNeitherReadNorWritten) {
  RedisServer primary, server;
  auto store = Opened("redis://" + server.endpoint());
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(Put(*store, "a").ok());
  server.Ask({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())});
  EXPECT_EQ(Put(*store, "b").code(), absl::StatusCode::kUnavailable);
  AwaitReason("STORAGE_READ_ONLY", [&] { return store->Get(kWave, "a").status(); });
  AwaitReason("STORAGE_READ_ONLY", [&] { return Put(*store, "b"); });
}

TEST(RedisStore, ForgottenScriptsAreSentAgain) {
  const RedisServer server;
  auto store = Opened("redis://" + server.endpoint());
  ASSERT_NE(store, nullptr);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Put(*store, "a", "value", {"event"}).ok());
    EXPECT_THAT(*store->List(kWave, "", "", 10), SizeIs(1));
    EXPECT_THAT(*store->ReadFeed(kWave, 0, 10), SizeIs(i + 1));
    ASSERT_EQ(server.Ask({"SCRIPT", "FLUSH"}), "OK");
  }
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i) callers.emplace_back([&, i] { EXPECT_TRUE(Put(*store, std::to_string(i), "value", {"event"}).ok()); });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(*store->LastSequence(kWave), 19u);
}

TEST(RedisStore, AClosedConnectionIsReplacedUnseen) {
  const RedisServer server;
  auto store = Opened("redis://" + server.endpoint());
  ASSERT_NE(store, nullptr);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Put(*store, "a").ok());
    EXPECT_TRUE(store->Get(kWave, "a").ok());
    server.Ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  }
}

TEST(RedisStore, OwnersOfOneServerDoNotSeeEachOther) {
  const RedisServer server;
  auto one = OpenStore("redis://" + server.endpoint() + "/3", "intake"), two = OpenStore("redis://" + server.endpoint() + "/3", "dedup");
  auto elsewhere = OpenStore("redis://" + server.endpoint(), "intake");
  ASSERT_TRUE(one.ok() && two.ok() && elsewhere.ok());
  ASSERT_TRUE(Put(**one, "a", "value", {"event"}).ok());
  for (Store* other : {two->get(), elsewhere->get()}) {
    EXPECT_FALSE((*other->Get(kWave, "a")).has_value());
    EXPECT_EQ(*other->LastSequence(kWave), 0u);
    EXPECT_THAT(*other->Partitions(""), SizeIs(0));
  }
}

TEST(RedisStore, StrangeDataIsSaidToBeCorrupt) {
  const RedisServer server;
  auto store = Opened("redis://" + server.endpoint());
  ASSERT_NE(store, nullptr);
  const std::string key = "test:{" + std::string(kWave) + "}:";
  ASSERT_TRUE(Put(*store, "a", "value", {"first", "second"}).ok());
  server.Ask({"HSET", key + "data", "da", "no document"});
  EXPECT_EQ(status::Reason(store->Get(kWave, "a").status()), "STORAGE_CORRUPT");
  server.Ask({"XDEL", key + "feed", "1-0"});
  EXPECT_EQ(status::Reason(store->ReadFeed(kWave, 0, 10).status()), "STORAGE_CORRUPT");
  server.Ask({"SET", key + "index", "of another kind"});
  EXPECT_EQ(status::Reason(store->Count(kWave, "").status()), "STORAGE_CORRUPT");
}

}  // namespace
}  // namespace peiling::storage
