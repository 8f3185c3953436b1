#include "services/analytics/index_metrics.h"

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "services/common/server/metrics.h"

namespace peiling::analytics {

namespace {

prometheus::Family<prometheus::Gauge>& Gauges(const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(server::Metrics());
}

}  // namespace

void RecordIndex(const std::string& wave, int64_t records, size_t bytes) {
  static auto& all_records = Gauges("peiling_index_records", "Records in the index of a wave.");
  static auto& all_bytes = Gauges("peiling_index_bytes", "Memory of the bitmaps of a wave's index.");
  all_records.Add({{"wave", wave}}).Set(static_cast<double>(records));
  all_bytes.Add({{"wave", wave}}).Set(static_cast<double>(bytes));
}

void RecordSnapshot(const std::string& wave) {
  static auto& moments = Gauges("peiling_snapshot_success_timestamp_seconds", "When the index of a wave was last found saved.");
  moments.Add({{"wave", wave}}).SetToCurrentTime();
}

void RecordSnapshotFailure() {
  static auto& failures = prometheus::BuildCounter()
                              .Name("peiling_snapshot_failures_total")
                              .Help("Snapshots of an index that could not be saved or read.")
                              .Register(server::Metrics())
                              .Add({});
  failures.Increment();
}

}  // namespace peiling::analytics
