// How fast a wave's submissions become records: the ledger over SQLite on disk, in groups as the follower makes them, resolution left out.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "services/dedup/wave_ledger.h"
#include "tests/dedup/fixture.h"

namespace peiling::dedup {
namespace {

// A wave of `count` responses, three to a municipality of its frame.
struct Wave {
  explicit Wave(int count) : source(TestSource()) {
    source.frame.clear_municipalities();
    for (int i = 0; i < count / 3 + 1; ++i) {
      auto& municipality = *source.frame.add_municipalities();
      municipality.set_code("GM" + std::to_string(10000000 + i));
      municipality.set_title(municipality.code());
    }
    for (int i = 0; i < count; ++i) {
      auto& event = events.emplace_back();
      event.set_sequence(i + 1);
      const std::string& code = source.frame.municipalities(i % source.frame.municipalities_size()).code();
      *event.mutable_response() = MakeResponse({.id = std::to_string(i), .municipality = code, .answered = i % 64, .minute = i});
      auto& open = *event.mutable_response()->mutable_answers()->add_answers();
      open.set_question("Open");
      open.set_text(std::string(4000, 'x'));
    }
  }

  WaveSource source;
  std::vector<intake::v1::SubmissionEvent> events;
};

// Arguments: responses in the wave, submissions in a group.
void BM_Apply(benchmark::State& state) {
  const Wave wave(static_cast<int>(state.range(0)));
  const auto batch = static_cast<size_t>(state.range(1));
  const std::string directory = std::filesystem::temp_directory_path() / ("dedup_bench_" + std::to_string(::getpid()));
  for (auto _ : state) {
    state.PauseTiming();
    std::filesystem::create_directories(directory);
    auto store = storage::OpenStore("sqlite:" + directory + "/dedup.db", "test");
    if (!store.ok()) return state.SkipWithError("no store");
    auto ledger = std::make_unique<WaveLedger>(**store, kWave, StoppedClock);
    if (!ledger->Prepare(wave.source, TestResolve).ok()) return state.SkipWithError("not prepared");
    state.ResumeTiming();
    for (size_t at = 0; at < wave.events.size(); at += batch) {
      if (!ledger->Apply(0, absl::MakeConstSpan(wave.events).subspan(at, batch), TestResolve).ok())
        return state.SkipWithError("not applied");
    }
    state.PauseTiming();
    ledger.reset();
    store->reset();
    std::filesystem::remove_all(directory);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Apply)->Args({500, 1})->Args({500, 256})->Args({20000, 256})->Unit(benchmark::kMillisecond)->UseRealTime();

// The policy alone: a case of so many responses.
void BM_DecideCase(benchmark::State& state) {
  std::vector<Submission> submissions;
  std::vector<Placement> placements;
  std::vector<Member> members;
  const Rulings none;
  for (int i = 0; i < state.range(0); ++i) {
    submissions.push_back(MakeSubmission({.id = std::to_string(i), .answered = i, .person = i % 2 == 0 ? "p" : "q"}));
  }
  for (const Submission& submission : submissions) placements.push_back(Place(submission, none, *TestSetup()));
  for (size_t i = 0; i < submissions.size(); ++i) members.push_back({&submissions[i], &placements[i]});
  for (auto _ : state) benchmark::DoNotOptimize(DecideCase("GM0001", members, none, *TestSetup()));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_DecideCase)->Arg(3)->Arg(30);

}  // namespace
}  // namespace peiling::dedup
