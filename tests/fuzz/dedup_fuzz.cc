// Any response that is a protobuf message at all: it is taken in, gets exactly one decision, and the report still adds up.
#include <string>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "gtest/gtest.h"
#include "services/common/names/resource_names.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/dedup/documents.h"
#include "services/dedup/wave_ledger.h"
#include "services/dedup/wave_view.h"
#include "tests/dedup/fixture.h"
#include "tests/fuzz/mutate.h"

namespace peiling::dedup {
namespace {

TEST(DedupFuzz, EveryResponseGetsADecision) {
  google::protobuf::SetLogHandler(nullptr);  // It tells of every message that does not parse.
  std::vector<std::string> corpus;
  for (const char* place : {"GM0001", "~GM0002", "GM0001+GM0003", "GM0001?GM0002", "-GM0009", "", "test"}) {
    for (const bool submitted : {true, false}) {
      const Filled filled{.id = "1", .municipality = place, .submitted = submitted, .person = "p", .multiple = {"a", "b"}};
      corpus.push_back(proto::CanonicalBytes(MakeResponse(filled)));
    }
  }
  auto store = storage::OpenStore("sqlite::memory:", "test");
  ASSERT_TRUE(store.ok());
  WaveLedger ledger(**store, kWave, StoppedClock);
  ASSERT_TRUE(ledger.Prepare(TestSource(), TestResolve).ok());

  fuzz::Mutator mutator(1, {"GM0001", "GM0002", "GM0003", "+", "?", "-GM", "/responses/", "\n\x05Where"});
  uint64_t sequence = 0;
  const auto end = std::chrono::steady_clock::now() + fuzz::Budget();
  while (std::chrono::steady_clock::now() < end && sequence < 20000) {
    const std::string bytes = mutator.Next(corpus);
    intake::v1::SubmissionEvent event;
    if (!event.mutable_response()->ParseFromString(bytes)) continue;
    // Few ids, so that responses change and meet in cases.
    event.mutable_response()->set_name(ResponseName(std::to_string(mutator.Below(200))));
    event.set_sequence(++sequence);
    ASSERT_TRUE(ledger.Apply(0, {event}, TestResolve).ok()) << absl::CEscape(bytes);
    const auto decision = documents::Read<v1::Decision>(**store, kWave, documents::KeyOf(documents::kDecisions, event.response().name()));
    ASSERT_TRUE(decision.ok() && decision->has_value()) << absl::CEscape(bytes);
    ASSERT_NE((*decision)->disposition(), v1::DISPOSITION_UNSPECIFIED) << absl::CEscape(bytes);
    const auto report = WaveView(**store, kWave).GetCleaningReport();
    ASSERT_TRUE(report.ok());
    ASSERT_EQ(SumOfDispositions(report->report()), report->report().started()) << absl::CEscape(bytes);
  }
  EXPECT_GT(sequence, 100u);
  RecordProperty("responses", std::to_string(sequence));
}

}  // namespace
}  // namespace peiling::dedup
