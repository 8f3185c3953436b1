#include "services/common/server/server.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "prometheus/exposer.h"
#include "prometheus/gauge.h"
#include "services/common/log/log.h"
#include "services/common/server/acceptor.h"
#include "services/common/server/client_calls.h"
#include "services/common/server/connect.h"
#include "services/common/server/credentials.h"
#include "services/common/server/health_port.h"
#include "services/common/server/limits.h"
#include "services/common/server/listen.h"
#include "services/common/server/metrics.h"
#include "services/common/server/process_metrics.h"
#include "services/common/server/server_calls.h"
#include "services/common/status/errors.h"

namespace peiling::server {
namespace {

constexpr auto kHealthInterval = std::chrono::milliseconds(500);
// The health name for liveness probes: SERVING as long as the process answers, whatever its store and other services do.
constexpr char kAlive[] = "alive";

// For all servers of the process, and not thread-safe in gRPC.
void EnablePluginsOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Debian builds Abseil with a search for deadlocks in every lock that gRPC takes.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    grpc::EnableDefaultHealthCheckService(true);
  });
}

void SetLimits(const Options& options, const std::string& name, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options.max_metadata_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  builder.SetResourceQuota(grpc::ResourceQuota(name).SetMaxThreads(options.max_threads).Resize(options.max_buffer_bytes));
}

// Null when there is to be none.
absl::StatusOr<std::unique_ptr<prometheus::Exposer>> ServeMetrics(const std::string& address) {
  if (address.empty()) return nullptr;
  if (const auto free = CheckListenAddress(address); !free.ok()) return free;
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, 1);
    exposer->RegisterCollectable(SharedMetrics());
    exposer->RegisterCollectable(ProcessMetrics());
    return exposer;
  } catch (const std::exception& e) {
    return status::Error(absl::StatusCode::kUnavailable, "LISTEN_FAILED",
                         absl::StrCat("cannot serve metrics on ", address, ": ", e.what()));
  }
}

prometheus::Gauge& ReadyGauge(const std::string& server) {
  return prometheus::BuildGauge()
      .Name("peiling_ready")
      .Help("Whether the server can answer, as its health says.")
      .Register(Metrics())
      .Add({{"server", server}});
}

// So that the calls under way (grpc_server_in_flight) can be compared with it.
void ShowMaxThreads(const std::string& server, int max_threads) {
  prometheus::BuildGauge()
      .Name("peiling_server_max_threads")
      .Help("Most calls that are handled at once; one more is refused.")
      .Register(Metrics())
      .Add({{"server", server}})
      .Set(max_threads);
}

// Keeps a server's health services up to date with its module. All names are NOT_SERVING from Stop on.
class HealthReporter {
 public:
  HealthReporter(const Module& module, std::vector<grpc::HealthCheckServiceInterface*> services)
      : module_(module), services_(std::move(services)), ready_gauge_(ReadyGauge(module.name())) {
    SetAll(false);
    Set(kAlive, true);
  }
  ~HealthReporter() { Stop(); }

  void Start() {
    Report();
    thread_ = std::thread([this] { Run(); });
  }

  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    SetAll(false);
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kHealthInterval, [this] { return stopping_; })) Report();
  }

  void Report() {
    const bool ready = module_.ready();
    for (const auto& [name, healthy] : module_.health()) Set(name, healthy);
    Set("", ready);
    ready_gauge_.Set(ready ? 1 : 0);
    if (ready == ready_) return;
    ready_ = ready;
    if (ready) {
      log::Info("ready", {{"server", module_.name()}});
    } else {
      log::Warning("not ready", {{"server", module_.name()}, {"reason", module_.not_ready_reason()}});
    }
  }

  // gRPC tells every watch, also of what is as it was.
  void Set(const std::string& name, bool healthy) {
    {
      const std::lock_guard lock(told_mutex_);
      const auto [told, is_new] = told_.emplace(name, healthy);
      if (!is_new && std::exchange(told->second, healthy) == healthy) return;
    }
    for (auto* service : services_) service->SetServingStatus(name, healthy);
  }

  void SetAll(bool healthy) {
    for (const auto& entry : module_.health()) Set(entry.first, healthy);
    Set("", healthy);
    ready_gauge_.Set(healthy ? 1 : 0);
  }

  const Module& module_;
  const std::vector<grpc::HealthCheckServiceInterface*> services_;
  prometheus::Gauge& ready_gauge_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool ready_ = false;
  std::mutex told_mutex_;
  std::map<std::string, bool> told_;
  std::thread thread_;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(const Options& options, std::unique_ptr<Module> module, std::unique_ptr<prometheus::Exposer> exposer)
      : options_(options), module_(std::move(module)), exposer_(std::move(exposer)) {}
  ~ServerImpl() override { Shutdown(); }

  absl::Status Start() {
    if (const auto listening = Listen(); !listening.ok()) return listening;
    grpc::ServerBuilder builder;
    SetLimits(options_, module_->name(), builder);
    if (!module_->listens()) ShowMaxThreads(module_->name(), options_.max_threads);
    SetConnectionLimits(builder);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(ObserveServerCalls(module_->name()));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    if (module_->checks_callers()) LeaveOutReflection(builder);
    std::unique_ptr<Acceptor::Sink> sink;
    if (acceptor_ != nullptr) sink = Acceptor::AddTo(builder, credentials_);
    module_->Register(builder);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      return status::Error(absl::StatusCode::kUnavailable, "LISTEN_FAILED", absl::StrCat("cannot listen on ", options_.listen));
    }
    health_ = std::make_unique<HealthReporter>(*module_, HealthServices());
    module_->UseServer(InProcessChannel());
    if (const auto started = module_->Start(); !started.ok()) return started;
    health_->Start();
    if (acceptor_ != nullptr) acceptor_->Start(std::move(sink));
    log::Info("serving", {{"server", module_->name()}, {"listen", options_.listen}, {"port", absl::StrCat(port())}});
    return absl::OkStatus();
  }

  int port() const override { return acceptor_ == nullptr ? module_->port() : acceptor_->port(); }
  int metrics_port() const override { return exposer_ == nullptr ? 0 : exposer_->GetListeningPorts().at(0); }
  std::shared_ptr<grpc::Channel> InProcessChannel() override {
    return server_->experimental().InProcessChannelWithInterceptors(ChannelSettings(), ObserveClientCalls());
  }
  int health_port() const override { return health_port_ == nullptr ? 0 : health_port_->port(); }
  Module& module() override { return *module_; }

  void Shutdown() override {
    const std::lock_guard lock(shutdown_mutex_);
    if (server_ == nullptr || std::exchange(shut_down_, true)) return;
    health_->Stop();
    std::this_thread::sleep_for(std::chrono::seconds(options_.drain_pause_seconds));
    module_->Stop();
    if (acceptor_ != nullptr) acceptor_->Stop();
    module_->Drain();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(options_.drain_seconds));
    server_->Wait();
    log::Info("stopped", {{"server", module_->name()}});
  }

 private:
  // Opens the ports, which do not take connections yet.
  absl::Status Listen() {
    if (!options_.health_listen.empty()) {
      auto health = HealthPort::Open(options_.health_listen);
      if (!health.ok()) return health.status();
      health_port_ = *std::move(health);
    }
    if (options_.listen.empty() || module_->listens()) return absl::OkStatus();
    if (const auto may = CheckExposure(options_.listen, options_, module_->checks_callers()); !may.ok()) return may;
    auto credentials = ListenerCredentials(options_, module_->checks_callers());
    if (!credentials.ok()) return credentials.status();
    credentials_ = *std::move(credentials);
    auto acceptor = Acceptor::Open(options_.listen);
    if (!acceptor.ok()) return acceptor.status();
    acceptor_ = *std::move(acceptor);
    return absl::OkStatus();
  }

  std::vector<grpc::HealthCheckServiceInterface*> HealthServices() {
    std::vector<grpc::HealthCheckServiceInterface*> services = {server_->GetHealthCheckService()};
    if (health_port_ != nullptr) services.push_back(&health_port_->service());
    return services;
  }

  const Options options_;
  // Destroyed after the server that calls it.
  const std::unique_ptr<Module> module_;
  const std::unique_ptr<prometheus::Exposer> exposer_;
  // Outlives the server, so that probes see its end.
  std::unique_ptr<HealthPort> health_port_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<HealthReporter> health_;
  std::mutex shutdown_mutex_;
  bool shut_down_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options, std::unique_ptr<Module> module) {
  EnablePluginsOnce();
  auto exposer = ServeMetrics(options.metrics_listen);
  if (!exposer.ok()) return exposer.status();
  auto server = std::make_unique<ServerImpl>(options, std::move(module), *std::move(exposer));
  if (const auto started = server->Start(); !started.ok()) return started;
  return server;
}

}  // namespace peiling::server
