// Names resolved a second on one core, over what officials type: mostly names as they are, some misspelled, some joint, some no
// municipality at all. The bound is what nothing that compares folded text can beat: folding it and one look-up in a hash table.
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "benchmark/benchmark.h"
#include "services/common/text/fold.h"
#include "tests/registry/testing.h"

namespace peiling::registry {
namespace {

constexpr char kDay[] = "2022-03-24";

enum class Kind { kExact, kMended, kJoint, kUnknown, kMix };

// A misspelling: the letter in the middle left out.
std::string Misspelled(std::string title) { return title.erase(title.size() / 2, 1); }

std::vector<std::string> Texts(Kind kind) {
  std::vector<std::string> exact, mended, joint, unknown;
  const std::vector<std::string> others = {"test",
                                           "Achterhoek",
                                           "regio Twente",
                                           "welzijnsorganisatie",
                                           "",
                                           "meerdere gemeenten in de regio",
                                           "onbekend",
                                           "Provincie Gelderland",
                                           "wij werken voor alle gemeenten",
                                           "Haarle",
                                           "xxx",
                                           "n.v.t."};
  for (const v1::Municipality& m : RealCatalog().all()) {
    if (!ExistsOn(m, kDay)) continue;
    exact.push_back(exact.size() % 4 == 0 ? "gemeente " + m.title() : m.title());
    if (m.title().size() >= 8) mended.push_back(Misspelled(m.title()));
    if (exact.size() > 2) joint.push_back(exact[exact.size() - 2] + ", " + exact[exact.size() - 3] + " en " + m.title());
  }
  for (size_t i = 0; i < 300; ++i) unknown.push_back(others[i % others.size()]);
  switch (kind) {
    case Kind::kExact:
      return exact;
    case Kind::kMended:
      return mended;
    case Kind::kJoint:
      return joint;
    case Kind::kUnknown:
      return unknown;
    case Kind::kMix:
      break;
  }
  // As in the export of 2022: of twenty about sixteen names, two that are none, one misspelled, one joint.
  std::vector<std::string> mix;
  for (size_t i = 0; i < 2000; ++i) {
    const std::vector<std::string>& from = i % 20 < 16 ? exact : i % 20 < 18 ? unknown : i % 20 < 19 ? mended : joint;
    mix.push_back(from[i * 7919 % from.size()]);
  }
  return mix;
}

void Resolve(benchmark::State& state, Kind kind) {
  const std::vector<std::string> texts = Texts(kind);
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(RealResolver().Resolve(texts[i], kDay));
    i = i + 1 == texts.size() ? 0 : i + 1;
  }
  state.SetItemsProcessed(state.iterations());
}

void Bound(benchmark::State& state) {
  absl::flat_hash_map<std::string, const v1::Municipality*> names;
  for (const v1::Municipality& m : RealCatalog().all()) names.emplace(text::Fold(m.title()), &m);
  const std::vector<std::string> texts = Texts(Kind::kMix);
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(names.find(text::Fold(texts[i])));
    i = i + 1 == texts.size() ? 0 : i + 1;
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(Bound);
BENCHMARK_CAPTURE(Resolve, mix, Kind::kMix);
BENCHMARK_CAPTURE(Resolve, exact, Kind::kExact);
BENCHMARK_CAPTURE(Resolve, mended, Kind::kMended);
BENCHMARK_CAPTURE(Resolve, joint, Kind::kJoint);
BENCHMARK_CAPTURE(Resolve, unknown, Kind::kUnknown);

}  // namespace
}  // namespace peiling::registry
