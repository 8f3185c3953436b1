// Durable commits to Redis, beside what Redis does by itself on the same disk: redis-benchmark with as many SETs of the same size in a
// pipeline as there are callers. Counters: rows/s, and for the store `of_bound`, its rows a second (a commit writes two: a document and an
// event) as a part of plain Redis' in the same run. Then the memory that a response takes. TMPDIR chooses the disk.
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "services/common/storage/store.h"
#include "tests/contract/redis_servers.h"

namespace peiling::storage {
namespace {

constexpr size_t kRowBytes = 4096;

std::string Noise(std::mt19937_64& random, size_t bytes) {
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

// Ids as responses have them.
std::string Id(std::mt19937_64& random) {
  std::array<char, 33> id{};
  std::snprintf(id.data(), id.size(), "%016llx%016llx", static_cast<unsigned long long>(random()),
                static_cast<unsigned long long>(random()));
  return id.data();
}

// What redis-benchmark says of SETs by one connection, so many in flight; by their number.
std::map<int, double> bounds;

void PlainRedisSets(benchmark::State& state) {
  const int pipeline = static_cast<int>(state.range(0));
  const RedisServer server;
  const std::string command = "redis-benchmark -p " + std::to_string(server.port()) + " -t set -c 1 -r 1000000 -d " +
                              std::to_string(kRowBytes) + " -n " + std::to_string(pipeline * 200) + " -P " + std::to_string(pipeline) +
                              " --csv";
  double rate = 0;
  for (auto _ : state) {
    FILE* output = popen(command.c_str(), "r");
    std::array<char, 512> line{};
    while (fgets(line.data(), line.size(), output) != nullptr) std::sscanf(line.data(), "\"SET\",\"%lf\"", &rate);
    pclose(output);
  }
  if (rate == 0) state.SkipWithError("redis-benchmark said nothing");
  bounds[pipeline] = rate;
  state.counters["rows/s"] = rate;
}

// Every caller commits `kCommits` times a new document and an event.
void Commit(benchmark::State& state, const std::string& address) {
  const int callers = static_cast<int>(state.range(0)), commits = 4'000 / (callers + 15);
  auto store = OpenStore(address, "bench");
  if (!store.ok()) {
    state.SkipWithError(store.status().ToString().c_str());
    return;
  }
  std::atomic<bool> failed = false;
  double seconds = 0;
  uint64_t seed = 0;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    threads.reserve(static_cast<size_t>(callers));
    for (int caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&, mine = ++seed] {
        std::mt19937_64 random(mine);
        const std::string value = Noise(random, kRowBytes);
        for (int i = 0; i < commits; ++i) {
          if (!(*store)->Commit({"surveys/s/waves/w", {{"responses/" + Id(random), value, 0, 0}}, {}, {value}}).ok()) failed = true;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  if (failed) state.SkipWithError("a commit failed");
  const double rate = callers * commits * static_cast<double>(state.iterations()) / seconds;
  state.counters["commits/s"] = rate;
  state.counters["rows/s"] = 2 * rate;
  state.counters["of_bound"] = 2 * rate / bounds[callers];
}

void StoreOneServer(benchmark::State& state) {
  const PlainRedis redis;
  Commit(state, redis.address());
}

void StoreWithReplica(benchmark::State& state) {
  const SentinelRedis redis;
  Commit(state, redis.address());
}

double UsedMemory(const RedisServer& server) {
  const std::string info = server.Ask({"INFO", "memory"});
  return std::strtod(info.c_str() + info.find("used_memory:") + 12, nullptr);
}

// A submitted response as intake keeps it: what the event does not say under its id, the receipt, and the event with the answers.
void MemoryPerResponse(benchmark::State& state) {
  constexpr int kResponses = 50'000, kTogether = 50;
  constexpr size_t kRemainder = 100, kReceipt = 132, kAnswers = 4608;
  const RedisServer server({"appendfsync no"});
  auto store = OpenStore("redis://" + server.endpoint() + "?fsync=any", "bench");
  if (!store.ok()) {
    state.SkipWithError(store.status().ToString().c_str());
    return;
  }
  const double before = UsedMemory(server);
  std::mt19937_64 random(7);
  for (auto _ : state) {
    for (int done = 0; done < kResponses; done += kTogether) {
      Batch batch{.partition = "surveys/s/waves/w"};
      for (size_t i = 0; i < kTogether; ++i) {
        batch.writes.push_back({"responses/" + Id(random), Noise(random, kRemainder), 0, i});
        batch.writes.push_back({"receipt/" + Id(random), Noise(random, kReceipt), 0, i});
        batch.events.push_back(Noise(random, kAnswers));
      }
      if (!(*store)->Commit(std::move(batch)).ok()) state.SkipWithError("a commit failed");
    }
  }
  const double each = (UsedMemory(server) - before) / kResponses;
  state.counters["bytes/response"] = each;
  state.counters["of_it_overhead"] = each - kRemainder - kReceipt - kAnswers;
}

// Plain Redis first: the others are compared with it.
BENCHMARK(PlainRedisSets)->Arg(1)->Arg(16)->Arg(64)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(StoreOneServer)->Arg(1)->Arg(16)->Arg(64)->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(StoreWithReplica)->Arg(1)->Arg(16)->Arg(64)->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(MemoryPerResponse)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peiling::storage
