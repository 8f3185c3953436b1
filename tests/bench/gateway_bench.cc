// What the gateway costs: 4 KiB unary calls from 64 threads, direct to a service (the bound) and through the whole gateway, with an API key
// that it knows, its limits, metrics and access log; without and with traces. Client, gateway and service share this process and its cores,
// so the ratio is of processor time, not of latency.
//
// Side by side: --benchmark_enable_random_interleaving=true --benchmark_repetitions=5
#include <benchmark/benchmark.h>

#include "services/common/tracing/span.h"
#include "tests/bench/gateway_setting.h"

namespace peiling::gateway {
namespace {

// As much of a recorder as calls wait for.
class Dropped final : public tracing::Recorder {
 public:
  void Record(tracing::SpanData) override {}
};

GatewaySetting& TheSetting() {
  static auto* setting = new GatewaySetting;
  return *setting;
}

void BM_Direct(benchmark::State& state) { CallEcho(state, TheSetting().backend->port(), ""); }
void BM_ThroughGateway(benchmark::State& state) { CallEcho(state, TheSetting().gateway->port(), TheSetting().authorization()); }
void BM_ThroughGatewayTraced(benchmark::State& state) {
  static auto* const recorder = new Dropped;
  if (state.thread_index() == 0) tracing::SetRecorder(recorder, 1);
  CallEcho(state, TheSetting().gateway->port(), TheSetting().authorization());
  if (state.thread_index() == 0) tracing::SetRecorder(nullptr, 0);
}

BENCHMARK(BM_Direct)->Threads(1)->Threads(64)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(BM_ThroughGateway)->Threads(1)->Threads(64)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(BM_ThroughGatewayTraced)->Threads(1)->Threads(64)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace peiling::gateway
