// Sends spans to an OpenTelemetry collector, over OTLP/gRPC (https://opentelemetry.io/docs/specs/otlp/).
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/tracing/span.h"

namespace peiling::tracing {

struct ExportOptions {
  // http://host:port, https://host:port (TLS), or any gRPC target.
  std::string endpoint;
  // What the spans are of (service.name, service.version).
  std::string service;
  std::string version;
  // Spans that wait to be sent; one more is dropped and counted.
  size_t max_waiting = 8192;
  // Spans in one message.
  size_t max_batch = 512;
  // The longest a span waits for others.
  std::chrono::milliseconds interval{1000};
  // The longest that one message may take, waiting for the collector included; it is dropped then.
  std::chrono::milliseconds timeout{10'000};
};

// Sends from a thread of its own: whoever records a span never waits for the collector. Metrics: peiling_traces_exported_total and
// peiling_traces_dropped_total{reason}, of spans. Thread-safe.
class OtlpExporter : public Recorder {
 public:
  // INVALID_ARGUMENT/OTLP_ENDPOINT_INVALID.
  static absl::StatusOr<std::unique_ptr<OtlpExporter>> Start(ExportOptions options);

  // Sends what waits, for at most `patience`; what is recorded from now on is dropped. May be called twice.
  virtual void Stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace peiling::tracing
