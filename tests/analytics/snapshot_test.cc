#include "services/analytics/snapshot.h"

#include <algorithm>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/analytics/live_wave.h"
#include "services/common/status/errors.h"
#include "tests/analytics/random_wave.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

namespace dv = dedup::v1;
using samples::AllAnswers;
using samples::RandomEvents;

std::shared_ptr<LiveWave> NewWave() { return std::make_shared<LiveWave>(samples::Definition(), absl::UTCTimeZone()); }

// The wave as another process finds it.
absl::StatusOr<std::shared_ptr<LiveWave>> Restored(const Snapshot& snapshot,
                                                   std::shared_ptr<const WaveDefinition> definition = samples::Definition()) {
  return LiveWave::Restore(std::move(definition), absl::UTCTimeZone(), snapshot);
}

TEST(Snapshot, AnswersWhatAReplayAnswersAndGoesOnTheSame) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    RandomEvents events(seed);
    const auto replayed = NewWave();
    for (int i = 0; i < 60; ++i) replayed->Apply(events.Next());
    const auto restored = Restored(replayed->Save());
    ASSERT_TRUE(restored.ok()) << restored.status();
    EXPECT_FALSE((*restored)->caught_up());
    ASSERT_EQ(AllAnswers(**restored), AllAnswers(*replayed)) << seed;
    for (int i = 0; i < 60; ++i) {
      const auto event = events.Next();
      EXPECT_TRUE(replayed->Apply(event));
      EXPECT_TRUE((*restored)->Apply(event));
    }
    ASSERT_EQ(AllAnswers(**restored), AllAnswers(*replayed)) << seed;
  }
}

TEST(Snapshot, KnowsItsFeedByTheLastEvent) {
  RandomEvents events(1);
  const auto wave = NewWave();
  wave->Apply(events.Next());
  auto last = events.Next();
  wave->Apply(last);
  const auto restored = Restored(wave->Save());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ((*restored)->Read().position().records(), 2u);
  EXPECT_TRUE((*restored)->Apply(last));
  last.add_removed_municipality_codes(samples::Code(1));
  EXPECT_FALSE((*restored)->Apply(last));
}

TEST(Snapshot, OfAnEmptyWaveIsOne) {
  const auto snapshot = NewWave()->Save();
  EXPECT_TRUE(snapshot.parts.empty());
  const auto restored = Restored(snapshot);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(AllAnswers(**restored), AllAnswers(*NewWave()));
}

TEST(Snapshot, OfManyRecordsHasPartsOfABoundedSize) {
  const auto wave = NewWave();
  dv::RecordEvent event;
  event.set_sequence(1);
  for (int i = 0; i < 40'000; ++i) {
    *event.add_records() = samples::RecordMaker(i).Choose("teams", {i % 3 == 0 ? "ja" : "nee"});
    *event.add_decisions() =
        samples::Decide(absl::StrCat("R_", std::string(40, 'x'), i), dv::DISPOSITION_KEPT, {1 + i % 10}, "2022-09-05T08:00:00Z");
  }
  wave->Apply(event);
  const auto snapshot = wave->Save();
  EXPECT_GT(snapshot.parts.size(), 2u);
  for (const auto& part : snapshot.parts) EXPECT_LE(part.size(), kMaxPartBytes);
  const auto restored = Restored(snapshot);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(AllAnswers(**restored), AllAnswers(*wave));
}

TEST(Snapshot, FitsTheSameProgramQuestionnaireAndFrameAlone) {
  RandomEvents events(1);
  const auto wave = NewWave();
  wave->Apply(events.Next());
  const auto snapshot = wave->Save();

  const auto reason = [&](std::shared_ptr<const WaveDefinition> definition) {
    return status::Reason(Restored(snapshot, std::move(definition)).status());
  };
  auto definition = samples::Definition();
  definition->wave.set_title("Another title");
  definition->wave.set_synthetic_notice("Verzonnen.");
  EXPECT_EQ(reason(definition), "");
  definition->wave.set_questionnaire_fingerprint("other");
  EXPECT_EQ(reason(definition), "SNAPSHOT_DOES_NOT_FIT");

  definition = samples::Definition();
  // One municipality belongs to G4 from then on.
  definition->frame = samples::SampleFrame("2022-06-01");
  EXPECT_EQ(reason(definition), "SNAPSHOT_DOES_NOT_FIT");
  auto fewer = samples::Municipalities();
  fewer.pop_back();
  definition->frame = std::make_shared<Frame>(fewer, "2022-03-24");
  EXPECT_EQ(reason(definition), "SNAPSHOT_DOES_NOT_FIT");

  auto newer = snapshot;
  newer.header.set_format(Snapshot::kFormat + 1);
  EXPECT_EQ(status::Reason(Restored(newer).status()), "SNAPSHOT_DOES_NOT_FIT");
}

TEST(Snapshot, ThatDoesNotHoldTogetherIsRefused) {
  RandomEvents events(1);
  const auto wave = NewWave();
  for (int i = 0; i < 60; ++i) wave->Apply(events.Next());
  const auto snapshot = wave->Save();
  ASSERT_EQ(snapshot.parts.size(), 1u);
  snapshot::Part whole;
  ASSERT_TRUE(whole.ParseFromString(snapshot.parts[0]));
  const int slots = whole.municipality_codes_size();
  ASSERT_GT(slots, 2);

  using Change = std::function<void(snapshot::Part&)>;
  const std::vector<std::pair<const char*, Change>> changes = {
      {"slots after their bitmaps", [](auto& part) { part.clear_municipality_codes(); }},
      {"a municipality twice", [](auto& part) { part.set_municipality_codes(1, part.municipality_codes(0)); }},
      {"a record less", [](auto& part) { part.set_municipality_codes(0, ""); }},
      {"a record more", [](auto& part) { part.add_municipality_codes("GM9999"); }},
      {"a bitmap there is not", [](auto& part) { part.mutable_bitmaps(0)->set_bitmap(1'000'000); }},
      {"words beyond the slots", [](auto& part) { part.mutable_bitmaps(0)->set_first_word(1); }},
      {"words far beyond the slots", [](auto& part) { part.mutable_bitmaps(0)->set_first_word(0xffffffff); }},
      {"more words than slots", [](auto& part) { part.mutable_bitmaps(0)->add_words(0); }},
      {"a bit of no record", [&](auto& part) { part.mutable_bitmaps(1)->set_words(0, part.bitmaps(1).words(0) | uint64_t{1} << 63); }},
      {"no bitmaps", [](auto& part) { part.clear_bitmaps(); }},
      {"a disposition there is not", [](auto& part) { part.mutable_responses(0)->set_disposition(99); }},
      {"a municipality there is not", [](auto& part) { part.mutable_responses(0)->add_municipalities(2 * 10); }},
      {"a response twice", [](auto& part) { *part.add_responses() = part.responses(0); }},
  };
  for (const auto& [what, change] : changes) {
    auto part = whole;
    change(part);
    const auto restored = Restored({snapshot.header, {part.SerializeAsString()}});
    EXPECT_EQ(status::Reason(restored.status()), "SNAPSHOT_DAMAGED") << what;
  }
  EXPECT_EQ(status::Reason(Restored({snapshot.header, {"no message"}}).status()), "SNAPSHOT_DAMAGED");
}

// A snapshot of one program is read by the next, so both must make the same of an event.
TEST(Snapshot, HasTheMeaningItsFormatSays) {
  RandomEvents events(2022);
  const auto wave = NewWave();
  for (int i = 0; i < 200; ++i) wave->Apply(events.Next());
  snapshot::Part all;
  for (const auto& bytes : wave->Save().parts) {
    snapshot::Part part;
    ASSERT_TRUE(part.ParseFromString(bytes));
    all.MergeFrom(part);
  }
  std::sort(all.mutable_responses()->begin(), all.mutable_responses()->end(), [](const auto& a, const auto& b) { return a.id() < b.id(); });
  EXPECT_EQ(Snapshot::kFormat, 1u);
  EXPECT_EQ(absl::BytesToHexString(Sha256(all.SerializeAsString())), "7f557c02cc49d3c53ea04fddacad6ec208f7538a79a1c088a93c4430d0af9844")
      << "what is made of an event has changed: raise Snapshot::kFormat, and put both here";
}

}  // namespace
}  // namespace peiling::analytics
