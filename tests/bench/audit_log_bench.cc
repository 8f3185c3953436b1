// The audit log in a file of SQLite, short and long: what is asked of it costs the same, but for what is rare and has to be looked for.
// The argument is how many entries there are, spread over a year. TMPDIR chooses the disk.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/access/audit_log.h"
#include "services/common/storage/store.h"

namespace peiling::access {
namespace {

constexpr int64_t kBegin = 1'767'225'600;  // 2026-01-01
constexpr int64_t kYear = 31'536'000;
constexpr int kCallers = 100;
constexpr int kGroup = 1000;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "peiling-bench-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string File() const { return path_ / "access.db"; }

 private:
  std::filesystem::path path_;
};

v1::AuditEntry Entry(int64_t number, int64_t seconds) {
  v1::AuditEntry entry;
  entry.set_name(absl::StrCat("audit-entries/0123456789abcdef-", number));
  entry.mutable_time()->set_seconds(seconds);
  entry.set_subject(absl::StrCat("keys/", absl::Hex(number % kCallers, absl::kZeroPad16)));
  entry.set_credential(v1::CREDENTIAL_KIND_KEY);
  entry.set_action("peiling.intake.v1.IntakeService/SubmitResponse");
  entry.set_object(absl::StrCat("surveys/sociale-wijkteams/waves/2026/responses/", number));
  entry.set_result("OK");
  entry.set_origin("10.0.0.1");
  entry.set_request_id("0123456789abcdef0123456789abcdef");
  entry.set_count(1);
  return entry;
}

// A log of so many entries, made once for all benchmarks.
class Log {
 public:
  explicit Log(int64_t entries) : store_(*storage::OpenStore("sqlite:" + folder_.File(), "access")) {
    for (int64_t begin = 0; begin < entries; begin += kGroup) {
      v1::RecordAuditEntriesRequest request;
      for (int64_t i = begin; i < begin + kGroup; ++i) *request.add_entries() = Entry(i, kBegin + i * kYear / entries);
      if (!log_.Record(request).ok()) std::abort();
    }
  }
  static Log& Of(int64_t entries) {
    static auto& logs = *new std::map<int64_t, std::unique_ptr<Log>>;
    auto& log = logs[entries];
    if (log == nullptr) log = std::make_unique<Log>(entries);
    return *log;
  }

  AuditLog& log() { return log_; }

 private:
  const Folder folder_;
  const std::unique_ptr<storage::Store> store_;
  AuditLog log_{*store_};
};

void List(benchmark::State& state, const v1::ListAuditEntriesRequest& request) {
  AuditLog& log = Log::Of(state.range(0)).log();
  int64_t entries = 0;
  for (auto _ : state) {
    const auto listed = log.List(request, {});
    if (!listed.ok()) return state.SkipWithError("the log cannot be read");
    entries += listed->entries_size();
  }
  state.counters["entries"] = benchmark::Counter(static_cast<double>(entries), benchmark::Counter::kAvgIterations);
}

void BM_ListLatest(benchmark::State& state) { List(state, {}); }

void BM_ListAnHourLongAgo(benchmark::State& state) {
  v1::ListAuditEntriesRequest request;
  request.mutable_since()->set_seconds(kBegin + kYear / 2);
  request.mutable_until()->set_seconds(kBegin + kYear / 2 + 3600);
  List(state, request);
}

void BM_ListOneCaller(benchmark::State& state) {
  v1::ListAuditEntriesRequest request;
  request.set_subject(absl::StrCat("keys/", absl::Hex(7, absl::kZeroPad16)));
  List(state, request);
}

// One page of those that must be asked for until something is found.
void BM_ListWhatIsNotThere(benchmark::State& state) {
  v1::ListAuditEntriesRequest request;
  request.set_result("PERMISSION_DENIED");
  List(state, request);
}

void BM_Record(benchmark::State& state) {
  AuditLog& log = Log::Of(state.range(0)).log();
  static int64_t number = 1'000'000'000;
  for (auto _ : state) {
    v1::RecordAuditEntriesRequest request;
    for (int64_t i = 0; i < state.range(1); ++i, ++number) *request.add_entries() = Entry(number, kBegin + kYear + number % 1000);
    if (!log.Record(request).ok()) return state.SkipWithError("the log cannot be written");
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
}

constexpr int64_t kShort = 10'000;
constexpr int64_t kLong = 1'000'000;

BENCHMARK(BM_ListLatest)->Arg(kShort)->Arg(kLong)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_ListAnHourLongAgo)->Arg(kShort)->Arg(kLong)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_ListOneCaller)->Arg(kShort)->Arg(kLong)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_ListWhatIsNotThere)->Arg(kShort)->Arg(kLong)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Record)->Args({kShort, 1})->Args({kLong, 1})->Args({kLong, kGroup})->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace peiling::access
