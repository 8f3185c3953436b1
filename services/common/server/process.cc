#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "grpc/support/log.h"
#include "services/common/log/log.h"
#include "services/common/server/credentials.h"
#include "services/common/server/server.h"
#include "services/common/status/errors.h"
#include "services/common/tracing/otlp_exporter.h"

namespace peiling::server {
namespace {

// What the last spans get at the end of the process.
constexpr std::chrono::seconds kFlushPatience(3);

const std::map<std::string, log::Level>& LogLevels() {
  static const std::map<std::string, log::Level> levels = {
      {"debug", log::Level::kDebug}, {"info", log::Level::kInfo}, {"warning", log::Level::kWarning}, {"error", log::Level::kError}};
  return levels;
}

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Every connection is a file, and what the system lets a process have without asking is little.
void AllowManyFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// gRPC's own lines go where ours go. Its errors are mostly about single connections: no error of the service.
void LogGrpcLine(gpr_log_func_args* line) {
  const std::string source = absl::StrCat(line->file, ":", line->line);
  if (line->severity == GPR_LOG_SEVERITY_ERROR) {
    log::Warning(line->message, {{"source", source}});
  } else {
    log::Debug(line->message, {{"source", source}});
  }
}

// Sends spans for as long as it lives, when there is a collector.
class Traces {
 public:
  static absl::StatusOr<std::unique_ptr<Traces>> Start(const Options& options) {
    if (options.otlp_endpoint.empty()) return nullptr;
    auto exporter = tracing::OtlpExporter::Start(
        {.endpoint = options.otlp_endpoint, .service = program_invocation_short_name, .version = PEILING_VERSION});
    if (!exporter.ok()) return exporter.status();
    return std::make_unique<Traces>(*std::move(exporter), options.trace_ratio);
  }

  Traces(std::unique_ptr<tracing::OtlpExporter> exporter, double ratio) : exporter_(*exporter.release()) {
    tracing::SetRecorder(&exporter_, ratio);
  }
  ~Traces() {
    tracing::SetRecorder(nullptr, 0);
    exporter_.Stop(kFlushPatience);
  }
  Traces(const Traces&) = delete;
  Traces& operator=(const Traces&) = delete;

 private:
  // Never destroyed: gRPC's threads may still end a call that they have a span of.
  tracing::OtlpExporter& exporter_;
};

void AddFileFlag(CLI::App& app, const char* flag, std::string& file, const char* description, const char* environment) {
  app.add_option(flag, file, description)->envname(environment)->type_name("FILE")->group("TLS (PEM files, read anew when they change)");
}

void AddTlsFlags(CLI::App& app, Options& options) {
  AddFileFlag(app, "--tls-certificate", options.tls.certificate, "Certificate of this server, with those between it and its authority",
              "PEILING_TLS_CERTIFICATE");
  AddFileFlag(app, "--tls-key", options.tls.key, "Key of that certificate", "PEILING_TLS_KEY");
  AddFileFlag(app, "--tls-client-ca", options.tls.ca, "Authorities of the certificates that clients show", "PEILING_TLS_CLIENT_CA");
  AddFileFlag(app, "--peer-certificate", options.peer_tls.certificate, "Certificate shown to other services; default: --tls-certificate",
              "PEILING_PEER_CERTIFICATE");
  AddFileFlag(app, "--peer-key", options.peer_tls.key, "Key of that certificate; default: --tls-key", "PEILING_PEER_KEY");
  AddFileFlag(app, "--peer-ca", options.peer_tls.ca, "Authorities of the certificates of other services; default: --tls-client-ca",
              "PEILING_PEER_CA");
}

// "--intake" and PEILING_INTAKE for "intake".
void AddPeerFlag(CLI::App& app, Options& options, const std::string& name) {
  app.add_option("--" + name, options.peers[name], "Address of the service: host:port or dns:///name:port")
      ->envname("PEILING_" + absl::AsciiStrToUpper(name))
      ->required();
}

int Fail(const absl::Status& error) {
  const std::string reason = status::Reason(error);
  std::fprintf(stderr, "%s: %s%s\n", program_invocation_short_name, std::string(error.message()).c_str(),
               reason.empty() ? "" : absl::StrCat(" (", reason, ")").c_str());
  return 1;
}

}  // namespace

void AddFlags(CLI::App& app, Options& options, const std::vector<std::string>& peers) {
  for (const std::string& peer : peers) AddPeerFlag(app, options, peer);
  AddTlsFlags(app, options);
  std::vector<std::string> levels;
  for (const auto& [name, level] : LogLevels()) levels.push_back(name);
  constexpr const char* kGroup = "Server";
  app.add_option("--listen", options.listen, "host:port to listen on; port 0 takes a free one")
      ->envname("PEILING_LISTEN")
      ->capture_default_str()
      ->group(kGroup);
  app.add_flag("--insecure", options.insecure, "Development: plaintext on loopback, and nobody is asked who he is")
      ->envname("PEILING_INSECURE")
      ->group(kGroup);
  app.add_option("--gateway-names", options.gateway_names, "Names of the gateways' certificates: who calls is believed of them alone")
      ->envname("PEILING_GATEWAY_NAMES")
      ->delimiter(',')
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--health-listen", options.health_listen,
                 "host:port of a plaintext listener with grpc.health.v1 alone, for probes; none when empty")
      ->envname("PEILING_HEALTH_LISTEN")
      ->group(kGroup);
  app.add_option("--metrics-listen", options.metrics_listen, "host:port of the Prometheus endpoint /metrics; none when empty")
      ->envname("PEILING_METRICS_LISTEN")
      ->group(kGroup);
  app.add_option("--log-level", options.log_level, "Least level written to the log on stderr")
      ->envname("PEILING_LOG_LEVEL")
      ->check(CLI::IsMember(levels))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--max-message-bytes", options.max_message_bytes, "Largest message taken")
      ->envname("PEILING_MAX_MESSAGE_BYTES")
      ->check(CLI::Range(1 << 10, 1 << 30))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--max-metadata-bytes", options.max_metadata_bytes, "Most metadata taken with a call")
      ->envname("PEILING_MAX_METADATA_BYTES")
      ->check(CLI::Range(1 << 10, 1 << 20))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--max-concurrent-streams", options.max_concurrent_streams, "Most calls under way on one connection")
      ->envname("PEILING_MAX_CONCURRENT_STREAMS")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--max-threads", options.max_threads, "Most calls under way; one more is refused at once")
      ->envname("PEILING_MAX_THREADS")
      ->check(CLI::Range(4, 10'000))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--max-buffer-bytes", options.max_buffer_bytes,
                 "Memory for connections and messages under way; when it runs out, those without calls are closed first")
      ->envname("PEILING_MAX_BUFFER_BYTES")
      ->check(CLI::Range(int64_t{1} << 20, int64_t{1} << 40))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--drain-pause-seconds", options.drain_pause_seconds, "At shutdown: time in which load balancers turn away")
      ->envname("PEILING_DRAIN_PAUSE_SECONDS")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--drain-seconds", options.drain_seconds, "At shutdown: time calls under way get to finish")
      ->envname("PEILING_DRAIN_SECONDS")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--otlp-endpoint", options.otlp_endpoint, "Collector traces are sent to over OTLP/gRPC, http://host:port; none when empty")
      ->envname("OTEL_EXPORTER_OTLP_ENDPOINT")
      ->group(kGroup);
  app.add_option("--trace-ratio", options.trace_ratio, "Part of the traces recorded, of those that begin here")
      ->envname("OTEL_TRACES_SAMPLER_ARG")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--port-file", options.port_file, "File to write host:port to once it listens")
      ->envname("PEILING_PORT_FILE")
      ->group(kGroup);
}

void InitProcess(const Options& options) {
  signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto level = LogLevels().find(options.log_level);
  log::Init(program_invocation_short_name, level == LogLevels().end() ? log::Level::kInfo : level->second);
  gpr_set_log_function(LogGrpcLine);
  AllowManyFiles();
}

void WaitForSignal() {
  const sigset_t signals = EndingSignals();
  int signal = 0;
  sigwait(&signals, &signal);
  log::Info("stopping", {{"signal", strsignal(signal)}});
}

absl::Status WritePortFile(const Options& options, int port) {
  if (options.port_file.empty()) return absl::OkStatus();
  // Readers see a whole line or no file.
  const std::string part = options.port_file + ".part";
  std::ofstream file(part);
  file << options.listen.substr(0, options.listen.rfind(':')) << ":" << port << "\n";
  file.close();
  if (!file || std::rename(part.c_str(), options.port_file.c_str()) != 0) {
    return status::Error(absl::StatusCode::kInvalidArgument, "PORT_FILE_UNWRITABLE",
                         absl::StrCat("cannot write ", options.port_file, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

int RunModule(const Options& options, const std::function<absl::StatusOr<std::unique_ptr<Module>>(const Channels& peers)>& make) {
  InitProcess(options);
  auto traces = Traces::Start(options);
  if (!traces.ok()) return Fail(traces.status());
  const auto peers = ConnectPeers(options);
  if (!peers.ok()) return Fail(peers.status());
  auto module = make(*peers);
  if (!module.ok()) return Fail(module.status());
  auto server = Server::Start(options, *std::move(module));
  if (!server.ok()) return Fail(server.status());
  if (const auto written = WritePortFile(options, (*server)->port()); !written.ok()) return Fail(written);
  WaitForSignal();
  (*server)->Shutdown();
  return 0;
}

}  // namespace peiling::server
