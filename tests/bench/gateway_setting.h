// What the benchmarks of the gateway run against, whatever protocol they speak: a backend that gives back what it gets, run as services
// are, and the whole gateway before it, which knows one API key.
#pragma once

#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
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

// For the life of the process; without limits of one caller, since there is but one.
struct GatewaySetting {
  explicit GatewaySetting(Options options = Unlimited())
      : access(Serve<access::v1::AccessService>(keys)),
        backend(Serve<RegistryService>(echo)),
        gateway(*server::Server::Start(
            {.listen = "127.0.0.1:0"},
            *MakeModule(std::move(options), {}, {{"registry", RegistryService::service_full_name(), Connect(*backend)}},
                        Connect(*access)))) {
    while (!gateway->module().not_ready_reason().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }

  static Options Unlimited() {
    Options options;
    options.limits.calls_per_second = 1e9;
    options.limits.burst = 1e9;
    options.access_log = "/dev/null";
    return options;
  }
  template <typename Service>
  static std::unique_ptr<server::Server> Serve(grpc::Service& service) {
    return *server::Server::Start({.listen = "127.0.0.1:0", .insecure = true, .max_threads = 1024},
                                  std::make_unique<ServiceModule>(Service::service_full_name(), service));
  }
  static std::shared_ptr<grpc::Channel> Connect(const server::Server& server) {
    return server::Connect("127.0.0.1:" + std::to_string(server.port()), grpc::InsecureChannelCredentials());
  }
  // What its client shows.
  std::string authorization() const { return "Bearer " + keys.secret(); }

  OneKey keys;
  Echo echo;
  std::unique_ptr<server::Server> access;
  std::unique_ptr<server::Server> backend;
  std::unique_ptr<server::Server> gateway;
};

// Calls the echo with 4 KiB until the state has enough; `authorization` empty: none is shown.
inline void CallEcho(benchmark::State& state, int port, const std::string& authorization) {
  const auto stub = RegistryService::NewStub(ChannelTo(port));
  registry::v1::ResolveMunicipalityRequest request;
  request.set_text(std::string(4096, 'x'));
  registry::v1::ResolveMunicipalityResponse response;
  for (auto _ : state) {
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    if (const grpc::Status status = stub->ResolveMunicipality(&context, request, &response); !status.ok()) {
      state.SkipWithError(status.error_message().c_str());
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace peiling::gateway
