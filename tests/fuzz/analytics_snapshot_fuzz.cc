// Snapshots whose parts are not what was written, with digests that do not matter: the loader refuses them, or what it made of them answers
// every question and takes in further events.
#include "services/analytics/snapshot_store.h"
#include "tests/analytics/random_wave.h"
#include "tests/analytics/samples.h"
#include "tests/fuzz/mutate.h"

namespace peiling::analytics {
namespace {

Snapshot SampleSnapshot(uint64_t seed) {
  LiveWave wave(samples::Definition(), absl::UTCTimeZone());
  samples::RandomEvents events(seed);
  for (int i = 0; i < 50; ++i) wave.Apply(events.Next());
  return wave.Save();
}

// A part with some of its items left out, doubled or exchanged: what bytes turned over rarely make.
std::string Reshuffle(const std::string& bytes, fuzz::Mutator& mutator) {
  snapshot::Part part;
  if (!part.ParseFromString(bytes)) return bytes;
  const auto pick = [&](const auto& items) { return static_cast<int>(mutator.Below(static_cast<size_t>(items.size()))); };
  if (part.municipality_codes_size() > 0 && mutator.Below(2) == 0) {
    part.set_municipality_codes(pick(part.municipality_codes()), mutator.Below(2) == 0 ? "" : "GM0001");
  }
  if (part.bitmaps_size() > 0) {
    auto& piece = *part.mutable_bitmaps(pick(part.bitmaps()));
    if (mutator.Below(2) == 0) piece.set_bitmap(static_cast<uint32_t>(mutator.Below(40)));
    if (mutator.Below(4) == 0) piece.set_first_word(static_cast<uint32_t>(mutator.Below(3)));
    if (mutator.Below(4) == 0) piece.add_words(mutator.Below(1 << 20));
  }
  if (part.responses_size() > 0 && mutator.Below(2) == 0) {
    auto& response = *part.mutable_responses(pick(part.responses()));
    response.set_started_day(static_cast<int32_t>(mutator.Below(size_t{1} << 32)));
    response.add_municipalities(static_cast<uint32_t>(mutator.Below(30)));
  }
  return part.SerializeAsString();
}

TEST(SnapshotFuzz, IsRefusedOrHoldsTogether) {
  google::protobuf::SetLogHandler(nullptr);  // It tells of every text that is no UTF-8.
  std::vector<std::string> corpus;
  snapshot::Header header;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    auto snapshot = SampleSnapshot(seed);
    header = snapshot.header;
    corpus.insert(corpus.end(), snapshot.parts.begin(), snapshot.parts.end());
  }
  fuzz::Mutator shuffler(2);
  int refused = 0, taken = 0;
  fuzz::Run(corpus, fuzz::Mutator(1, {}, 1 << 16), [&](const std::string& input) {
    const std::string bytes = shuffler.Below(2) == 0 ? input : Reshuffle(corpus[shuffler.Below(corpus.size())], shuffler);
    const auto wave = LiveWave::Restore(samples::Definition(), absl::UTCTimeZone(), {header, {bytes}});
    ++(wave.ok() ? taken : refused);
    if (!wave.ok()) return;
    EXPECT_EQ((*wave)->Read().index().records(), (*wave)->Read().index().All().Count());
    samples::RandomEvents events(3);
    for (uint64_t i = 0; i < 5; ++i) {
      auto event = events.Next();
      event.set_sequence(header.position().records() + 1 + i);
      (*wave)->Apply(event);
    }
    EXPECT_FALSE(samples::AllAnswers(**wave).empty());
    EXPECT_EQ((*wave)->Read().index().records(), (*wave)->Read().index().All().Count());
  });
  EXPECT_GT(refused, 0);
  EXPECT_GT(taken, 0);
}

TEST(SnapshotFuzz, AHeaderIsTheOneWrittenOrNone) {
  auto store = *storage::OpenStore("sqlite::memory:", "analytics");
  SnapshotStore snapshots(*store);
  const std::string wave = "surveys/s/waves/2022";
  ASSERT_TRUE(snapshots.Write(wave, {}, SampleSnapshot(1), [] { return true; }).ok());
  const std::string written = (*store->Get(wave, "header"))->value;
  const std::string meant = snapshots.Look(wave)->header->SerializeAsString();
  fuzz::Run({written}, fuzz::Mutator(1), [&](const std::string& input) {
    ASSERT_TRUE(store->Commit({.partition = wave, .writes = {{.key = "header", .value = input}}}).ok());
    const auto stored = snapshots.Look(wave);
    ASSERT_TRUE(stored.ok()) << stored.status();
    if (stored->header) {
      EXPECT_EQ(stored->header->SerializeAsString(), meant);
    }
  });
}

}  // namespace
}  // namespace peiling::analytics
