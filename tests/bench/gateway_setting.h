// What the benchmarks of the gateway run against, whatever protocol they speak: a backend that gives back what it gets, run as services
// are, and the whole gateway before it, which knows one API key.
#pragma once

#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "peiling/access/v1/access.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/common/identity/key_secret.h"
#include "services/common/server/server.h"
#include "services/gateway/gateway_module.h"

namespace peiling::gateway {

using registry::v1::RegistryService;

class Echo final : public RegistryService::Service {
 public:
  grpc::Status ResolveMunicipality(grpc::ServerContext*, const registry::v1::ResolveMunicipalityRequest* request,
                                   registry::v1::ResolveMunicipalityResponse* response) override {
    response->mutable_resolution()->set_text(request->text());
    return grpc::Status::OK;
  }
  grpc::Status BatchResolveMunicipalities(grpc::ServerContext*, const registry::v1::BatchResolveMunicipalitiesRequest* request,
                                          registry::v1::BatchResolveMunicipalitiesResponse* response) override {
    for (const std::string& text : request->texts()) response->add_resolutions()->set_text(text);
    return grpc::Status::OK;
  }
};

// Tells gateways of one key, of an analyst.
class OneKey final : public access::v1::AccessService::Service {
 public:
  const std::string& secret() const { return secret_; }

  grpc::Status WatchKeys(grpc::ServerContext* context, const access::v1::WatchKeysRequest*,
                         grpc::ServerWriter<access::v1::WatchKeysResponse>* writer) override {
    access::v1::WatchKeysResponse event;
    event.mutable_key()->set_sequence(1);
    event.mutable_key()->mutable_key()->set_name("keys/" + id_);
    event.mutable_key()->mutable_key()->add_grants()->set_role(access::v1::ROLE_ANALYST);
    *event.mutable_key()->mutable_hash() = identity::Hash(secret_);
    writer->Write(event);
    event.mutable_caught_up()->set_sequence(1);
    writer->Write(event);
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return grpc::Status::CANCELLED;
  }

 private:
  const std::string id_ = identity::NewKeyId();
  const std::string secret_ = identity::NewSecret(id_);
};

class ServiceModule final : public server::Module {
 public:
  ServiceModule(std::string name, grpc::Service& service) : name_(std::move(name)), service_(service) {}
  std::string name() const override { return name_; }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }

 private:
  const std::string name_;
  grpc::Service& service_;
};

inline std::shared_ptr<grpc::Channel> ChannelTo(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(), arguments);
}

// Servers in a process of their own, as they are deployed, until this process ends. To be made before this one uses gRPC.
class ServerProcess {
 public:
  // `serve` starts servers and gives the ports they listen on.
  explicit ServerProcess(const std::function<std::vector<int>()>& serve) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (const int port : serve()) {
        if (write(ends[1], &port, sizeof(port)) != sizeof(port)) std::abort();
      }
      close(ends[1]);
      for (;;) pause();
    }
    close(ends[1]);
    for (int port = 0; read(ends[0], &port, sizeof(port)) == sizeof(port);) ports_.push_back(port);
    close(ends[0]);
  }

  int port(size_t index = 0) const { return ports_.at(index); }
  // Processor time so far.
  double cpu_seconds() const {
    clockid_t clock{};
    timespec time{};
    if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) std::abort();
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }

 private:
  pid_t pid_ = 0;
  std::vector<int> ports_;
};

// A service, the gateway before it, and their clients in three processes; without limits of one caller, since there is but one.
class GatewaySetting {
 public:
  explicit GatewaySetting(const Options& options = Unlimited()) {
    backend = std::make_unique<ServerProcess>([this] {
      return std::vector{Serve<RegistryService>(echo_), Serve<access::v1::AccessService>(keys_)};
    });
    gateway = std::make_unique<ServerProcess>([&] {
      auto module = *MakeModule(options, {}, {{"registry", RegistryService::service_full_name(), Connect(backend->port(0))}},
                                Connect(backend->port(1)), Connect(backend->port(1)));
      auto* const server = server::Server::Start({.listen = "127.0.0.1:0"}, std::move(module))->release();
      while (!server->module().ready()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return std::vector{server->port()};
    });
  }

  static Options Unlimited() {
    Options options;
    options.limits.calls_per_second = 1e9;
    options.limits.burst = 1e9;
    options.limits.max_calls_per_caller = options.limits.max_calls_per_backend;
    options.access_log = "/dev/null";
    return options;
  }
  // What its client shows.
  std::string authorization() const { return "Bearer " + keys_.secret(); }
  // Processor time of all three processes so far.
  double cpu_seconds() const {
    timespec own{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    return backend->cpu_seconds() + gateway->cpu_seconds() + static_cast<double>(own.tv_sec) + static_cast<double>(own.tv_nsec) * 1e-9;
  }

  std::unique_ptr<ServerProcess> backend;
  std::unique_ptr<ServerProcess> gateway;

 private:
  // For the life of the process; gives the port.
  template <typename Service>
  static int Serve(grpc::Service& service) {
    return server::Server::Start({.listen = "127.0.0.1:0", .insecure = true, .max_threads = 1024},
                                 std::make_unique<ServiceModule>(Service::service_full_name(), service))
        ->release()
        ->port();
  }
  static std::shared_ptr<grpc::Channel> Connect(int port) {
    return server::Connect("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
  }

  OneKey keys_;
  Echo echo_;
};

// Calls the echo with 4 KiB until the state has enough; `authorization` empty: none is shown. Counts the processor time of a call in all
// processes, in microseconds: what can be compared on a busy machine.
inline void CallEcho(benchmark::State& state, const GatewaySetting& setting, int port, const std::string& authorization) {
  const auto channel = ChannelTo(port);
  channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30));
  const auto stub = RegistryService::NewStub(channel);
  registry::v1::ResolveMunicipalityRequest request;
  request.set_text(std::string(4096, 'x'));
  registry::v1::ResolveMunicipalityResponse response;
  const double before = setting.cpu_seconds();
  for (auto _ : state) {
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    if (const grpc::Status status = stub->ResolveMunicipality(&context, request, &response); !status.ok()) {
      state.SkipWithError(status.error_message().c_str());
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
  const double calls = static_cast<double>(state.iterations()) * state.threads();
  state.counters["cpu_us"] = state.thread_index() == 0 ? (setting.cpu_seconds() - before) * 1e6 / calls : 0;
}

}  // namespace peiling::gateway
