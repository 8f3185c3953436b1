// What the gateway costs: 4 KiB unary calls from 64 threads, direct to a service (the bound) and through the whole gateway, with an API key
// that it knows, its limits, metrics and access log. Client, gateway and service are three processes on the same cores.
//
// Side by side: --benchmark_enable_random_interleaving=true --benchmark_repetitions=5
#include <benchmark/benchmark.h>

#include "tests/bench/gateway_setting.h"

namespace peiling::gateway {
namespace {

GatewaySetting& TheSetting() {
  static auto* setting = new GatewaySetting;
  return *setting;
}

void BM_Direct(benchmark::State& state) { CallEcho(state, TheSetting(), TheSetting().backend->port(), ""); }
void BM_ThroughGateway(benchmark::State& state) {
  CallEcho(state, TheSetting(), TheSetting().gateway->port(), TheSetting().authorization());
}

BENCHMARK(BM_Direct)->Threads(1)->Threads(64)->UseRealTime();
BENCHMARK(BM_ThroughGateway)->Threads(1)->Threads(64)->UseRealTime();

}  // namespace
}  // namespace peiling::gateway

int main(int argc, char** argv) {
  peiling::gateway::TheSetting();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
