// The index over 1,000,000 invented records of the questionnaire of 2022: building it, and tables from it.
//
// Bounds, measured in the same run: for building, judging the same answers alone (Assess), since every record must be judged once; for
// tables, reading the same number of bytes of bitmaps once and counting their bits, since a table cannot be had without looking at the
// bits. Counters: records/s or GB/s of bitmaps, and `of_bound`, the part of the bound that is reached.
//
// Snapshots are of those records and as many decisions: taking one (events wait as long), writing it to SQLite, and going on from it,
// beside applying the events it stands for, without the network they come over. TMPDIR chooses the disk.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "services/analytics/bitmap.h"
#include "services/analytics/frame.h"
#include "services/analytics/live_wave.h"
#include "services/analytics/snapshot_store.h"
#include "services/analytics/tabulation.h"
#include "services/analytics/wave_index.h"
#include "services/common/survey/documents.h"

namespace peiling::analytics {
namespace {

namespace sv = survey::v1;

constexpr int kRecords = 1'000'000;
// Different sets of answers; the records go through them in turn.
constexpr int kTemplates = 1000;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string Code(int number) { return "P" + std::to_string(number); }

class Million {
 public:
  static Million& Get() {
    static Million million;
    return million;
  }

  const std::vector<dedup::v1::Record>& templates() const { return templates_; }
  const survey::CompiledQuestionnaire& questionnaire() const { return *questionnaire_; }
  std::shared_ptr<const survey::CompiledQuestionnaire> shared_questionnaire() const { return questionnaire_; }
  std::shared_ptr<const Frame> frame() const { return frame_; }

  std::unique_ptr<WaveIndex> NewIndex() const { return std::make_unique<WaveIndex>(questionnaire_, frame_); }
  void Fill(WaveIndex& index) const {
    survey::Assessment scratch;
    auto records = templates_;
    for (int i = 0; i < kRecords; ++i) {
      auto& record = records[i % kTemplates];
      record.set_municipality_code(Code(i));
      index.Put(index.Prepare(record, scratch));
    }
  }
  const WaveIndex& index() {
    if (index_ == nullptr) {
      index_ = NewIndex();
      Fill(*index_);
    }
    return *index_;
  }
  // Bytes of one bitmap over all records.
  static constexpr double kBitmapBytes = kRecords / 8.0;
  // Seconds to read one bitmap from memory and count its bits.
  double seconds_per_bitmap = 0;
  // Seconds to judge one record's answers.
  double seconds_per_assessment = 0;

 private:
  Million() {
    ReadQuestionnaire();
    std::mt19937_64 random(2022);
    for (int i = 0; i < kTemplates; ++i) templates_.push_back(RandomRecord(random));
    std::vector<registry::v1::Municipality> municipalities(kRecords);
    for (int i = 0; i < kRecords; ++i) {
      municipalities[i].set_code(Code(i));
      municipalities[i].mutable_facts()->set_province("Provincie " + std::to_string(i % 12));
      municipalities[i].mutable_facts()->set_size_class(static_cast<sv::SizeClass>(1 + random() % 4));
    }
    frame_ = std::make_shared<Frame>(municipalities, "2022-03-24");
  }

  void ReadQuestionnaire() {
    std::ifstream file(PEILING_SURVEYS "/sociale-wijkteams/2022.yaml");
    std::stringstream text;
    text << file.rdbuf();
    status::BadRequest bad;
    auto document = survey::ParseDocument("2022.yaml", text.str(), bad);
    if (!document) {
      std::cerr << bad.ToStatus() << "\n";
      std::exit(1);
    }
    questionnaire_ = *survey::CompiledQuestionnaire::Compile(*std::get<survey::WaveDocument>(*document).questionnaire);
  }

  // Answers everything, so that every record costs what a full one costs.
  dedup::v1::Record RandomRecord(std::mt19937_64& random) const {
    dedup::v1::Record record;
    record.set_complete(true);
    for (const auto& compiled : questionnaire_->questions()) {
      const auto& question = *compiled.question;
      if (question.personal()) continue;
      sv::Answer answer;
      answer.set_question(question.code());
      if (question.type() == sv::QUESTION_TYPE_TEXT) answer.set_text("een antwoord");
      for (const auto& row : question.rows()) {
        auto& cell = *answer.mutable_grid()->add_cells();
        cell.set_row(row.code());
        cell.set_option(question.options(random() % question.options_size()).code());
      }
      if (question.type() == sv::QUESTION_TYPE_SINGLE) {
        answer.mutable_selection()->add_codes(question.options(random() % question.options_size()).code());
      }
      if (question.type() == sv::QUESTION_TYPE_MULTIPLE) {
        for (const auto& option : question.options()) {
          if (random() % 3 == 0) answer.mutable_selection()->add_codes(option.code());
        }
      }
      *record.mutable_answers()->add_answers() = std::move(answer);
    }
    return record;
  }

  std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire_;
  std::vector<dedup::v1::Record> templates_;
  std::shared_ptr<const Frame> frame_;
  std::unique_ptr<WaveIndex> index_;
};

// A wave of the records and a decision on each, from events of 256 as dedup makes them.
class MillionLive {
 public:
  static constexpr int kRecordsPerEvent = 256;

  static MillionLive& Get() {
    static MillionLive live;
    return live;
  }

  std::shared_ptr<LiveWave> NewWave() const { return std::make_shared<LiveWave>(definition_, absl::UTCTimeZone()); }
  std::shared_ptr<const WaveDefinition> definition() const { return definition_; }

  // The seconds it takes to apply all events, which does not count making them.
  double Fill(LiveWave& wave) const {
    double seconds = 0;
    dedup::v1::RecordEvent event;
    for (int i = 0; i < kRecords; ++i) {
      Add(i, event);
      if (event.records_size() < kRecordsPerEvent && i + 1 < kRecords) continue;
      event.set_sequence(event.sequence() + 1);
      const auto start = std::chrono::steady_clock::now();
      wave.Apply(event);
      seconds += SecondsSince(start);
      event.clear_records();
      event.clear_decisions();
    }
    return seconds;
  }
  const LiveWave& wave() {
    if (wave_ == nullptr) {
      wave_ = NewWave();
      Fill(*wave_);
    }
    return *wave_;
  }

 private:
  MillionLive() {
    auto definition = std::make_shared<WaveDefinition>();
    definition->wave.set_name("surveys/s/waves/2022");
    definition->questionnaire = Million::Get().shared_questionnaire();
    definition->frame = Million::Get().frame();
    definition_ = std::move(definition);
  }

  static void Add(int number, dedup::v1::RecordEvent& event) {
    auto& record = *event.add_records();
    record = Million::Get().templates()[number % kTemplates];
    record.set_municipality_code(Code(number));
    auto& decision = *event.add_decisions();
    decision.set_response("surveys/s/waves/2022/responses/" + std::to_string(1'000'000'000 + number));
    decision.set_disposition(dedup::v1::DISPOSITION_KEPT);
    decision.add_municipality_codes(Code(number));
    decision.add_kept_for(Code(number));
    decision.mutable_started_at()->set_seconds(1'662'000'000 + number);
    decision.mutable_submitted_at()->set_seconds(1'663'000'000 + number);
  }

  std::shared_ptr<const WaveDefinition> definition_;
  std::shared_ptr<LiveWave> wave_;
};

void BoundAssess(benchmark::State& state) {
  auto& million = Million::Get();
  survey::Assessment scratch;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    for (const auto& record : million.templates()) million.questionnaire().Assess(record.answers(), true, 0, scratch);
  }
  const double judged = static_cast<double>(state.iterations()) * kTemplates;
  million.seconds_per_assessment = SecondsSince(start) / judged;
  state.counters["records/s"] = benchmark::Counter(judged, benchmark::Counter::kIsRate);
}
BENCHMARK(BoundAssess)->Unit(benchmark::kMillisecond);

void BuildIndex(benchmark::State& state) {
  auto& million = Million::Get();
  double seconds = 0;
  for (auto _ : state) {
    auto index = million.NewIndex();
    const auto start = std::chrono::steady_clock::now();
    million.Fill(*index);
    seconds += SecondsSince(start);
    state.counters["bytes/record"] = static_cast<double>(index->bits_per_record()) / 8;
  }
  const double records = static_cast<double>(state.iterations()) * kRecords;
  state.counters["records/s"] = benchmark::Counter(records, benchmark::Counter::kIsRate);
  state.counters["of_bound"] = million.seconds_per_assessment * records / seconds;
}
BENCHMARK(BuildIndex)->Unit(benchmark::kMillisecond)->Iterations(1);

void BoundReadBitmaps(benchmark::State& state) {
  // As many bitmaps as the index has, so that neither fits a cache.
  auto& million = Million::Get();
  Bitmap full;
  for (int i = 0; i < kRecords; ++i) full.Set(i);
  const std::vector<Bitmap> bitmaps(million.index().bits_per_record(), full);
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    for (const auto& bitmap : bitmaps) benchmark::DoNotOptimize(bitmap.Count());
  }
  const double read = static_cast<double>(state.iterations()) * static_cast<double>(bitmaps.size());
  million.seconds_per_bitmap = SecondsSince(start) / read;
  state.counters["GB/s"] = benchmark::Counter(read * Million::kBitmapBytes / 1e9, benchmark::Counter::kIsRate);
}
BENCHMARK(BoundReadBitmaps)->Unit(benchmark::kMillisecond);

// Bitmaps a table of the request looks at, once for each column.
double BitmapsRead(const v1::TabulateResponse& response) {
  double bitmaps = 0;
  for (const auto& table : response.tables()) {
    const int states = table.row().empty() ? 5 : 6;
    bitmaps += static_cast<double>(table.columns_size()) * (states + table.lines_size());
  }
  return bitmaps;
}

void Tabulation(benchmark::State& state, const v1::TabulateRequest& request) {
  auto& million = Million::Get();
  const auto& index = million.index();
  double bitmaps = 0;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    v1::TabulateResponse response;
    const auto tabulated = Tabulate(
        index, request, {}, [] { return false; }, response);
    if (!tabulated.ok()) state.SkipWithError("refused");
    bitmaps += BitmapsRead(response);
  }
  state.counters["GB/s"] = benchmark::Counter(bitmaps * Million::kBitmapBytes / 1e9, benchmark::Counter::kIsRate);
  state.counters["of_bound"] = million.seconds_per_bitmap * bitmaps / SecondsSince(start);
}

void TabulateAllQuestions(benchmark::State& state) { Tabulation(state, {}); }
BENCHMARK(TabulateAllQuestions)->Unit(benchmark::kMillisecond);

void TabulateOneQuestionBySizeClass(benchmark::State& state) {
  v1::TabulateRequest request;
  request.add_questions("Q43");
  request.mutable_by()->set_stratum(v1::STRATUM_SIZE_CLASS);
  Tabulation(state, request);
}
BENCHMARK(TabulateOneQuestionBySizeClass)->Unit(benchmark::kMillisecond);

void ReplayEvents(benchmark::State& state) {
  double seconds = 0;
  for (auto _ : state) {
    const auto wave = MillionLive::Get().NewWave();
    const double took = MillionLive::Get().Fill(*wave);
    state.SetIterationTime(took);
    seconds += took;
  }
  state.counters["records/s"] = static_cast<double>(state.iterations()) * kRecords / seconds;
}
BENCHMARK(ReplayEvents)->Unit(benchmark::kMillisecond)->Iterations(1)->UseManualTime();

double Bytes(const Snapshot& snapshot) {
  double bytes = 0;
  for (const auto& part : snapshot.parts) bytes += static_cast<double>(part.size());
  return bytes;
}

void TakeSnapshot(benchmark::State& state) {
  const auto& wave = MillionLive::Get().wave();
  Snapshot snapshot;
  for (auto _ : state) snapshot = wave.Save();
  state.counters["MB"] = Bytes(snapshot) / 1e6;
  state.counters["parts"] = static_cast<double>(snapshot.parts.size());
}
BENCHMARK(TakeSnapshot)->Unit(benchmark::kMillisecond)->Iterations(3);

// What a table waits for while a snapshot is taken, and an event besides.
void ReadWhileASnapshotIsTaken(benchmark::State& state) {
  const auto& wave = MillionLive::Get().wave();
  std::atomic<bool> done = false;
  std::thread taking([&] {
    while (!done) benchmark::DoNotOptimize(wave.Save());
  });
  for (auto _ : state) benchmark::DoNotOptimize(wave.Read().position().records());
  done = true;
  taking.join();
}
BENCHMARK(ReadWhileASnapshotIsTaken)->Unit(benchmark::kMicrosecond)->Iterations(1'000'000);

// A file in a folder of its own.
class File {
 public:
  File() {
    std::string pattern = (std::filesystem::temp_directory_path() / "analytics-bench-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~File() { std::filesystem::remove_all(folder_); }
  std::string address() const { return "sqlite:" + folder_ + "/analytics.db"; }

 private:
  std::string folder_;
};

void WriteSnapshot(benchmark::State& state) {
  const File file;
  const auto store = *storage::OpenStore(file.address(), "analytics");
  SnapshotStore snapshots(*store);
  const auto snapshot = MillionLive::Get().wave().Save();
  const std::string name = MillionLive::Get().definition()->wave.name();
  for (auto _ : state) {
    if (!snapshots.Write(name, *snapshots.Look(name), snapshot, [] { return true; }).ok()) state.SkipWithError("not written");
  }
}
BENCHMARK(WriteSnapshot)->Unit(benchmark::kMillisecond)->Iterations(3);

void GoOnFromSnapshot(benchmark::State& state) {
  const File file;
  const auto store = *storage::OpenStore(file.address(), "analytics");
  SnapshotStore snapshots(*store);
  const auto definition = MillionLive::Get().definition();
  const std::string& name = definition->wave.name();
  if (!snapshots.Write(name, {}, MillionLive::Get().wave().Save(), [] { return true; }).ok()) state.SkipWithError("not written");
  for (auto _ : state) {
    const auto snapshot = snapshots.Read(name, LiveWave::Wanted(*definition));
    if (!LiveWave::Restore(definition, absl::UTCTimeZone(), **snapshot).ok()) state.SkipWithError("not restored");
  }
}
BENCHMARK(GoOnFromSnapshot)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace peiling::analytics
