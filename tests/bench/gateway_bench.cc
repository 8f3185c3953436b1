// What the gateway costs: 4 KiB unary calls from 64 threads, direct to a bare gRPC echo (the bound), through the proxy, and through the
// whole gateway with its metrics and log, without and with traces. Client, gateway and echo share this process and its cores, so the ratio
// is of processor time, not of latency.
#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/common/server/server.h"
#include "services/common/tracing/span.h"
#include "services/gateway/gateway_module.h"
#include "services/gateway/proxy.h"

namespace peiling::gateway {
namespace {

using registry::v1::RegistryService;

class Echo final : public RegistryService::Service {
 public:
  grpc::Status ResolveMunicipality(grpc::ServerContext*, const registry::v1::ResolveMunicipalityRequest* request,
                                   registry::v1::ResolveMunicipalityResponse* response) override {
    response->mutable_resolution()->set_text(request->text());
    return grpc::Status::OK;
  }
};

std::shared_ptr<grpc::Channel> ChannelTo(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(), arguments);
}

// An echo and a proxy before it, for the life of the process.
struct Setting {
  Setting() {
    {
      grpc::ServerBuilder builder;
      builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &echo_port);
      builder.RegisterService(&echo);
      echo_server = builder.BuildAndStart();
    }
    routes = std::make_unique<RouteTable>(std::vector<Backend>{{"registry", RegistryService::service_full_name(), ChannelTo(echo_port)}});
    proxy = std::make_unique<Proxy>(*routes, ProxyLimits{});
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &proxy_port);
    builder.RegisterCallbackGenericService(proxy.get());
    proxy_server = builder.BuildAndStart();
    gateway = *server::Server::Start({.listen = "127.0.0.1:0", .insecure = true, .max_threads = 1024},
                                     MakeModule(Options{}, {{"registry", RegistryService::service_full_name(),
                                                             server::Connect("127.0.0.1:" + std::to_string(echo_port), grpc::InsecureChannelCredentials())}}));
  }

  Echo echo;
  int echo_port = 0;
  int proxy_port = 0;
  std::unique_ptr<grpc::Server> echo_server;
  std::unique_ptr<RouteTable> routes;
  std::unique_ptr<Proxy> proxy;
  std::unique_ptr<grpc::Server> proxy_server;
  std::unique_ptr<server::Server> gateway;
};

// As much of a recorder as calls wait for.
class Dropped final : public tracing::Recorder {
 public:
  void Record(tracing::SpanData) override {}
};

Setting& TheSetting() {
  static auto* setting = new Setting;
  return *setting;
}

void Calls(benchmark::State& state, int port) {
  const auto stub = RegistryService::NewStub(ChannelTo(port));
  registry::v1::ResolveMunicipalityRequest request;
  request.set_text(std::string(4096, 'x'));
  registry::v1::ResolveMunicipalityResponse response;
  for (auto _ : state) {
    grpc::ClientContext context;
    if (const grpc::Status status = stub->ResolveMunicipality(&context, request, &response); !status.ok()) {
      state.SkipWithError(status.error_message().c_str());
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_BareEcho(benchmark::State& state) { Calls(state, TheSetting().echo_port); }
void BM_ThroughProxy(benchmark::State& state) { Calls(state, TheSetting().proxy_port); }
void BM_ThroughGateway(benchmark::State& state) { Calls(state, TheSetting().gateway->port()); }
void BM_ThroughGatewayTraced(benchmark::State& state) {
  static auto* const recorder = new Dropped;
  if (state.thread_index() == 0) tracing::SetRecorder(recorder, 1);
  Calls(state, TheSetting().gateway->port());
  if (state.thread_index() == 0) tracing::SetRecorder(nullptr, 0);
}

BENCHMARK(BM_BareEcho)->Threads(1)->Threads(64)->UseRealTime();
BENCHMARK(BM_ThroughProxy)->Threads(1)->Threads(64)->UseRealTime();
BENCHMARK(BM_ThroughGateway)->Threads(1)->Threads(64)->UseRealTime();
BENCHMARK(BM_ThroughGatewayTraced)->Threads(1)->Threads(64)->UseRealTime();

}  // namespace
}  // namespace peiling::gateway
