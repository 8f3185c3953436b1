// Durable commits of concurrent callers, beside what SQLite does by itself on the same disk: one transaction for every 64 rows of 4 KiB.
// Counters: rows/s, and for the store `of_bound`, its rows a second as a part of plain SQLite's in the same run.
// TMPDIR chooses the disk.
#include <benchmark/benchmark.h>
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "services/common/storage/store.h"

namespace peiling::storage {
namespace {

constexpr int kCallers = 64;
constexpr int kRowsPerTransaction = 64;
constexpr size_t kRowBytes = 4096;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "peiling-bench-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string File() const { return path_ / "store.db"; }

 private:
  std::filesystem::path path_;
};

std::string Noise(size_t bytes) {
  std::mt19937_64 random(7);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

// Rows a second of an amount of work, timed here because the bound must be known to the benchmarks after it.
class Rate {
 public:
  void Add(double rows) { rows_ += rows; }
  double Get() const { return rows_ / std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  double rows_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

double bound_grouped = 0;
double bound_single = 0;

void Check(bool ok, benchmark::State& state, const char* what) {
  if (!ok) state.SkipWithError(what);
}

double PlainSqlite(benchmark::State& state, int rows_per_transaction) {
  Folder folder;
  sqlite3* db = nullptr;
  sqlite3_stmt* insert = nullptr;
  Check(sqlite3_open(folder.File().c_str(), &db) == SQLITE_OK, state, "open");
  sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB)", nullptr,
               nullptr, nullptr);
  Check(sqlite3_prepare_v2(db, "INSERT INTO rows (value) VALUES (?1)", -1, &insert, nullptr) == SQLITE_OK, state, "prepare");
  const std::string value = Noise(kRowBytes);
  Rate rate;
  for (auto _ : state) {
    sqlite3_exec(db, "BEGIN", nullptr, nullptr, nullptr);
    for (int row = 0; row < rows_per_transaction; ++row) {
      sqlite3_bind_blob(insert, 1, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
      sqlite3_step(insert);
      sqlite3_reset(insert);
    }
    Check(sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK, state, sqlite3_errmsg(db));
    rate.Add(rows_per_transaction);
  }
  const double result = rate.Get();
  state.counters["rows/s"] = result;
  sqlite3_finalize(insert);
  sqlite3_close(db);
  return result;
}

// One iteration: every caller commits `kCommits` times a new document and an event.
double Commits(benchmark::State& state, int callers) {
  constexpr int kCommits = 50;
  Folder folder;
  auto store = OpenStore("sqlite:" + folder.File(), "bench");
  if (!store.ok()) {
    state.SkipWithError(store.status().ToString().c_str());
    return 0;
  }
  const std::string value = Noise(kRowBytes);
  std::atomic<bool> failed = false;
  int round = 0;
  Rate rate;
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (int caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&, caller] {
        std::mt19937_64 random(round * 1000 + caller);
        for (int i = 0; i < kCommits; ++i) {
          // Random keys, as ids are.
          Batch batch{.partition = "surveys/s/waves/w", .events = {value}};
          batch.writes.push_back({"responses/" + std::to_string(random()), value, 0, 0});
          if (!(*store)->Commit(std::move(batch)).ok()) failed = true;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    rate.Add(2.0 * callers * kCommits);
    ++round;
  }
  const double result = rate.Get();
  if (failed) state.SkipWithError("a commit failed");
  state.counters["rows/s"] = result;
  state.counters["commits/s"] = result / 2;
  return result;
}

void PlainSqliteGrouped(benchmark::State& state) { bound_grouped = PlainSqlite(state, kRowsPerTransaction); }
void Store64Callers(benchmark::State& state) { state.counters["of_bound"] = Commits(state, kCallers) / bound_grouped; }
void PlainSqliteSingle(benchmark::State& state) { bound_single = PlainSqlite(state, 2); }
void Store1Caller(benchmark::State& state) { state.counters["of_bound"] = Commits(state, 1) / bound_single; }

// The iterations are fixed, so that every benchmark runs once and writes enough for several checkpoints.
BENCHMARK(PlainSqliteGrouped)->Iterations(1000)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Store64Callers)->Iterations(10)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(PlainSqliteSingle)->Iterations(1000)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Store1Caller)->Iterations(20)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peiling::storage
