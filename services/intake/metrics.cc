#include "services/intake/metrics.h"

#include <array>
#include <string>

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "services/common/server/metrics.h"

namespace peiling::intake {
namespace {

using Counters = std::array<prometheus::Counter*, 7>;

Counters MakeCounters() {
  auto& family = prometheus::BuildCounter()
                     .Name("peiling_intake_responses_total")
                     .Help("Responses by what became of them")
                     .Register(server::Metrics());
  Counters counters;
  size_t i = 0;
  for (const char* outcome :
       {"submitted", "refused", "imported_added", "imported_updated", "imported_unchanged", "imported_refused", "withdrawn"}) {
    counters[i++] = &family.Add({{"outcome", outcome}});
  }
  return counters;
}

}  // namespace

void CountResponse(Outcome outcome) {
  static const Counters counters = MakeCounters();
  counters[static_cast<size_t>(outcome)]->Increment();
}

void CountRow(v1::ImportOutcome outcome) {
  switch (outcome) {
    case v1::IMPORT_OUTCOME_ADDED:
      return CountResponse(Outcome::kImportAdded);
    case v1::IMPORT_OUTCOME_UPDATED:
      return CountResponse(Outcome::kImportUpdated);
    case v1::IMPORT_OUTCOME_UNCHANGED:
      return CountResponse(Outcome::kImportUnchanged);
    default:
      return CountResponse(Outcome::kImportRefused);
  }
}

void SetErasuresOverdue(size_t waves) {
  static prometheus::Gauge& gauge = prometheus::BuildGauge()
                                        .Name("peiling_intake_erasures_overdue")
                                        .Help("Waves whose personal answers should have been erased, and could not all be")
                                        .Register(server::Metrics())
                                        .Add({});
  gauge.Set(static_cast<double>(waves));
}

void SetWaiting(size_t waiting) {
  static prometheus::Gauge& gauge = prometheus::BuildGauge()
                                        .Name("peiling_intake_submissions_waiting")
                                        .Help("Submissions that wait for their group")
                                        .Register(server::Metrics())
                                        .Add({});
  gauge.Set(static_cast<double>(waiting));
}

}  // namespace peiling::intake
