#include "tests/analytics/random_wave.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "services/analytics/tabulation.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics::samples {

namespace dv = dedup::v1;

namespace {

constexpr int kResponses = 60;
// Some are not in the frame.
constexpr int kMunicipalities = 14;
constexpr int kPartitions = 3;
// So many of them follow the unspecified one.
constexpr int kDispositions = 9;

}  // namespace

dv::Record RandomEvents::Record() {
  RecordMaker record(1 + Below(kMunicipalities));
  if (Below(4) == 0) record.Incomplete(Below(4));
  if (Below(5) > 0) record.Choose("teams", {Below(2) == 0 ? "ja" : "nee"});
  std::vector<std::string> tasks;
  for (const char* task : {"a", "b", "c"}) {
    if (Below(2) == 0) tasks.emplace_back(task);
  }
  record.Choose("tasks", tasks);
  if (Below(2) == 0) record.Fill("care", {{"planting", "own"}, {"pruning", Below(2) == 0 ? "own" : "other"}});
  if (Below(3) == 0) record.Text("remarks", "ja hoor");
  return record;
}

dv::Decision RandomEvents::Decision() {
  const int municipality = 1 + Below(kMunicipalities);
  const auto disposition = static_cast<dv::Disposition>(1 + Below(kDispositions));
  const std::string started = absl::StrFormat("2022-09-%02dT08:00:00Z", 1 + Below(28));
  const std::string submitted = Below(2) == 0 ? absl::StrFormat("2022-10-%02dT08:00:00Z", 1 + Below(28)) : "";
  return Decide(absl::StrCat("r", Below(kResponses)), disposition, {municipality, 1 + municipality % kMunicipalities}, started, submitted,
                Below(2) == 0 ? std::vector<int>{municipality} : std::vector<int>{});
}

dv::RecordEvent RandomEvents::Next() {
  dv::RecordEvent event;
  event.set_sequence(++sequence_);
  event.set_partition(Below(kPartitions));
  if (Below(5) > 0) event.set_submission_sequence(sequence_);
  for (int i = Below(4); i > 0; --i) *event.add_records() = Record();
  for (int i = Below(4); i > 0; --i) *event.add_decisions() = Decision();
  if (Below(3) == 0) event.add_removed_municipality_codes(Code(1 + Below(kMunicipalities)));
  return event;
}

std::string AllAnswers(const LiveWave& wave) {
  std::string answers;
  const auto view = wave.Read();
  const auto tabulate = [&](const v1::TabulateRequest& request) {
    v1::TabulateResponse response;
    const auto tabulated = Tabulate(
        view.index(), request, {}, [] { return false; }, response);
    EXPECT_TRUE(tabulated.ok()) << tabulated;
    absl::StrAppend(&answers, response.DebugString());
  };
  v1::TabulateRequest request;
  tabulate(request);
  for (const auto stratum : {v1::STRATUM_SIZE_CLASS, v1::STRATUM_PROVINCE}) {
    request.mutable_by()->set_stratum(stratum);
    tabulate(request);
  }
  request.mutable_by()->set_group("G4");
  tabulate(request);
  request.mutable_by()->set_question("tasks");
  tabulate(request);
  request.add_filters()->set_complete(false);
  tabulate(request);
  absl::StrAppend(&answers, view.fieldwork().On(std::nullopt).DebugString());
  for (const int day : {5, 20, 40}) {
    absl::StrAppend(&answers, view.fieldwork().On(absl::CivilDay(2022, 9, 1) + day).DebugString());
  }
  return absl::StrCat(answers, view.position().DebugString());
}

}  // namespace peiling::analytics::samples
