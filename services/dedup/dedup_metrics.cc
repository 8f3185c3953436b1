#include "services/dedup/dedup_metrics.h"

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "services/common/server/metrics.h"

namespace peiling::dedup {

void CountLostRace(const std::string& wave) {
  static prometheus::Family<prometheus::Counter>& races = prometheus::BuildCounter()
                                                              .Name("peiling_dedup_lost_races_total")
                                                              .Help("Steps of dedup that another one came before and that were made again.")
                                                              .Register(server::Metrics());
  races.Add({{"wave", wave}}).Increment();
}

void SetOwnedPartitions(size_t partitions) {
  static prometheus::Gauge& owned = prometheus::BuildGauge()
                                        .Name("peiling_dedup_owned_partitions")
                                        .Help("Partitions of waves whose submissions this replica takes in.")
                                        .Register(server::Metrics())
                                        .Add({});
  owned.Set(static_cast<double>(partitions));
}

void SetPoisonedEvents(const std::string& wave, int partition, size_t events) {
  static prometheus::Family<prometheus::Gauge>& poisoned = prometheus::BuildGauge()
                                                               .Name("peiling_dedup_poisoned_events")
                                                               .Help("Submissions set aside because they could not be taken in.")
                                                               .Register(server::Metrics());
  poisoned.Add({{"wave", wave}, {"partition", std::to_string(partition)}}).Set(static_cast<double>(events));
}

}  // namespace peiling::dedup
