// Running a module as a gRPC server: listening, health, reflection, metrics, limits, drain.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"
#include "services/common/server/module.h"
#include "services/common/tls/tls.h"

namespace peiling::server {

// What every service can be told, by flag or environment (--listen, PEILING_LISTEN).
struct Options {
  // host:port; port 0 takes a free one. Empty: no port, in-process callers alone.
  std::string listen = "127.0.0.1:0";
  // What the listener shows to clients, and the authorities of their certificates. Without a certificate it is plaintext.
  tls::Files tls;
  // The same for calls to other services; what is empty is as in `tls`.
  tls::Files peer_tls;
  // For development: plaintext on loopback, and nobody is asked who he is.
  bool insecure = false;
  // Names of certificates (DNS or URI) of gateways: who calls is believed of them alone.
  std::vector<std::string> gateway_names = {"peiling-gateway"};
  // host:port of a plaintext listener with grpc.health.v1 alone, for probes that speak no TLS; empty: none.
  std::string health_listen;
  // host:port of the Prometheus endpoint; empty: none.
  std::string metrics_listen;
  // debug, info, warning, error.
  std::string log_level = "info";
  int max_message_bytes = 4 << 20;
  int max_metadata_bytes = 16 << 10;
  int max_concurrent_streams = 256;
  // Threads for calls under way (gRPC sync API); a call too many gets RESOURCE_EXHAUSTED at once.
  int max_threads = 128;
  // Memory for connections and messages under way, as gRPC counts it; connections take about three times as much of the system. When it
  // runs out, connections without calls are closed first, then calls.
  int64_t max_buffer_bytes = 128 << 20;
  // Time between health NOT_SERVING and refusing calls at shutdown, in which load balancers turn away.
  int drain_pause_seconds = 0;
  // Time calls under way get to finish at shutdown.
  int drain_seconds = 10;
  // Collector that traces are sent to over OTLP/gRPC, http://host:port; empty: none are made.
  std::string otlp_endpoint;
  // Part of the traces recorded, 0 to 1, of those that begin here; others are recorded when they were where they began.
  double trace_ratio = 1;
  // Written "host:port\n" once it listens, for scripts and tests that let the system choose ports; empty: none.
  std::string port_file;
  // Addresses of the services it calls, by name: "dns:///intake:7400" or host:port.
  std::map<std::string, std::string> peers;
};

// Adds the flags above to a command line, with environment variables PEILING_…. `peers` are the services it must be given the address of:
// "intake" makes --intake and PEILING_INTAKE.
void AddFlags(CLI::App& app, Options& options, const std::vector<std::string>& peers = {});

// One gRPC server around one module.
class Server {
 public:
  // Listens and starts the module. FAILED_PRECONDITION/TLS_REQUIRED when it would listen in plaintext where it must not, the errors of
  // tls::Load, UNAVAILABLE/PORT_TAKEN when the port is taken (SO_REUSEPORT is off), the errors of CheckListenAddress, else the module's.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options, std::unique_ptr<Module> module);
  virtual ~Server() = default;  // Shuts down.

  // The port it listens on; 0 when it has none.
  virtual int port() const = 0;
  // The port for health alone; 0 when it has none.
  virtual int health_port() const = 0;
  // The port of the Prometheus endpoint; 0 when it has none.
  virtual int metrics_port() const = 0;
  // A channel to this server without a socket.
  virtual std::shared_ptr<grpc::Channel> InProcessChannel() = 0;
  virtual Module& module() = 0;
  // Health NOT_SERVING, drain_pause_seconds, module Stop, calls under way get drain_seconds, the rest is cancelled. May be called twice.
  virtual void Shutdown() = 0;
};

// To be called first in every main, before any thread starts: ignores SIGPIPE, blocks SIGTERM and SIGINT, allows as many open
// files as the system lets it, sets up the log (service: the program's name). Uses `log_level` of the options alone.
void InitProcess(const Options& options);
// Waits for SIGTERM or SIGINT.
void WaitForSignal();

// A channel to another service: "dns:///intake:7400" or host:port; keepalive, limits and the retry rules of
// services/common/server/service_config.json. Its calls are measured and traced (client_calls.h).
std::shared_ptr<grpc::Channel> Connect(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials);

// Channels by the names of Options::peers.
using Channels = std::map<std::string, std::shared_ptr<grpc::Channel>>;

// Writes options.port_file, when it is set, once everything listens.
absl::Status WritePortFile(const Options& options, int port);

// The whole of a service's main after its flags are read: InitProcess, traces, channels to its peers, start, wait, drain. Returns the exit
// code; problems are on stderr in one line. FAILED_PRECONDITION/TLS_REQUIRED for a peer that is not on loopback and is to be called in
// plaintext.
int RunModule(const Options& options, const std::function<absl::StatusOr<std::unique_ptr<Module>>(const Channels& peers)>& make);

}  // namespace peiling::server
