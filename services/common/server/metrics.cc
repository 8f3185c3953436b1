#include "services/common/server/metrics.h"

#include "prometheus/gauge.h"

namespace peiling::server {

const std::shared_ptr<prometheus::Registry>& SharedMetrics() {
  static const auto* registry = [] {  // Never destroyed: threads may count until the very end.
    auto* made = new std::shared_ptr<prometheus::Registry>(std::make_shared<prometheus::Registry>());
    prometheus::BuildGauge()
        .Name("peiling_build_info")
        .Help("Always 1; the labels say what runs.")
        .Register(**made)
        .Add({{"version", PEILING_VERSION}, {"commit", PEILING_COMMIT}})
        .Set(1);
    return made;
  }();
  return *registry;
}

prometheus::Registry& Metrics() { return *SharedMetrics(); }

}  // namespace peiling::server
