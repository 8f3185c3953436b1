#include "services/common/tracing/otlp_exporter.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"
#include "prometheus/counter.h"
#include "services/common/deadline/deadline.h"
#include "services/common/log/log.h"
#include "services/common/server/metrics.h"
#include "services/common/status/errors.h"

namespace peiling::tracing {
namespace {

namespace otlp = ::opentelemetry::proto::trace::v1;
using ::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using ::opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;
using ::opentelemetry::proto::collector::trace::v1::TraceService;
using Clock = std::chrono::system_clock;

struct Counters {
  prometheus::Counter& exported;
  prometheus::Counter& queue_full;
  prometheus::Counter& not_sent;
};

Counters MakeCounters() {
  auto& dropped = prometheus::BuildCounter()
                      .Name("peiling_traces_dropped_total")
                      .Help("Spans that never got to the collector.")
                      .Register(server::Metrics());
  return {prometheus::BuildCounter()
              .Name("peiling_traces_exported_total")
              .Help("Spans the collector took.")
              .Register(server::Metrics())
              .Add({}),
          dropped.Add({{"reason", "queue_full"}}), dropped.Add({{"reason", "not_sent"}})};
}

template <typename Bytes>
std::string ToString(const Bytes& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

uint64_t Nanos(Clock::time_point time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

otlp::Span::SpanKind KindOf(Kind kind) {
  switch (kind) {
    case Kind::kServer:
      return otlp::Span::SPAN_KIND_SERVER;
    case Kind::kClient:
      return otlp::Span::SPAN_KIND_CLIENT;
    case Kind::kInternal:
      break;
  }
  return otlp::Span::SPAN_KIND_INTERNAL;
}

template <typename Owner>
void AddText(Owner& owner, std::string_view key, std::string value) {
  auto& attribute = *owner.add_attributes();
  attribute.set_key(std::string(key));
  attribute.mutable_value()->set_string_value(std::move(value));
}

void AddSpan(SpanData data, otlp::Span& span) {
  span.set_trace_id(ToString(data.context.trace_id));
  span.set_span_id(ToString(data.context.span_id));
  span.set_trace_state(std::move(data.context.state));
  if (data.parent) span.set_parent_span_id(ToString(data.parent->span_id));
  span.set_name(std::move(data.name));
  span.set_kind(KindOf(data.kind));
  span.set_start_time_unix_nano(Nanos(data.begin));
  span.set_end_time_unix_nano(Nanos(data.end));
  for (auto& [key, value] : data.texts) AddText(span, key, std::move(value));
  for (const auto& [key, value] : data.numbers) {
    auto& attribute = *span.add_attributes();
    attribute.set_key(key);
    attribute.mutable_value()->set_int_value(value);
  }
  for (const TraceContext& other : data.links) {
    auto& link = *span.add_links();
    link.set_trace_id(ToString(other.trace_id));
    link.set_span_id(ToString(other.span_id));
    link.set_trace_state(other.state);
  }
  if (data.failed) span.mutable_status()->set_code(otlp::Status::STATUS_CODE_ERROR);
}

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

// A channel to the collector; it is not observed itself.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(std::string_view endpoint) {
  constexpr std::string_view kPlain = "http://", kTls = "https://";
  const bool tls = endpoint.starts_with(kTls);
  std::string_view target = endpoint;
  if (tls) target.remove_prefix(kTls.size());
  if (endpoint.starts_with(kPlain)) target.remove_prefix(kPlain.size());
  while (target.ends_with('/')) target.remove_suffix(1);
  if (target.empty() || (target.size() < endpoint.size() && target.find('/') != std::string_view::npos)) {
    return status::Error(absl::StatusCode::kInvalidArgument, "OTLP_ENDPOINT_INVALID",
                         absl::StrCat("\"", std::string(endpoint), "\" is no collector, want http://host:port or https://host:port"));
  }
  return grpc::CreateChannel(std::string(target), tls ? grpc::SslCredentials({}) : grpc::InsecureChannelCredentials());
}

class Exporter final : public OtlpExporter {
 public:
  Exporter(ExportOptions options, const std::shared_ptr<grpc::Channel>& channel)
      : options_(std::move(options)), stub_(TraceService::NewStub(channel)), thread_([this] { Run(); }) {}
  ~Exporter() override { Stop(std::chrono::milliseconds(0)); }

  void Record(SpanData span) override {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= options_.max_waiting) return counters_.queue_full.Increment();
    waiting_.push_back(std::move(span));
    if (waiting_.size() == options_.max_batch) wake_.notify_one();
  }

  void Stop(std::chrono::milliseconds patience) override {
    const std::lock_guard stop_lock(stop_mutex_);
    if (!thread_.joinable()) return;
    {
      std::unique_lock lock(mutex_);
      stopping_ = true;
      end_ = Clock::now() + patience;
      wake_.notify_all();
      if (!finished_.wait_for(lock, patience, [this] { return done_; }) && sending_ != nullptr) sending_->TryCancel();
    }
    thread_.join();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait_for(lock, options_.interval, [this] { return stopping_ || waiting_.size() >= options_.max_batch; });
      while (!waiting_.empty()) SendSome(lock);
      if (stopping_) break;
    }
    done_ = true;
    finished_.notify_all();
  }

  // `lock` is held, but not while it sends.
  void SendSome(std::unique_lock<std::mutex>& lock) {
    const auto last = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), options_.max_batch));
    std::vector<SpanData> batch(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(last));
    waiting_.erase(waiting_.begin(), last);
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    deadline::Set(context, std::min(Clock::now() + options_.timeout, end_));
    sending_ = &context;
    lock.unlock();
    Send(std::move(batch), context);
    lock.lock();
    sending_ = nullptr;
  }

  void Send(std::vector<SpanData> batch, grpc::ClientContext& context) {
    const auto count = static_cast<double>(batch.size());
    ExportTraceServiceRequest request;
    otlp::ResourceSpans& spans = *request.add_resource_spans();
    auto& resource = *spans.mutable_resource();
    AddText(resource, "service.namespace", "peiling");
    AddText(resource, "service.name", options_.service);
    AddText(resource, "service.version", options_.version);
    AddText(resource, "host.name", host_);
    AddText(resource, "service.instance.id", absl::StrCat(host_, ":", getpid()));
    otlp::ScopeSpans& scope = *spans.add_scope_spans();
    scope.mutable_scope()->set_name("peiling");
    for (SpanData& span : batch) AddSpan(std::move(span), *scope.add_spans());

    ExportTraceServiceResponse response;
    const grpc::Status sent = stub_->Export(&context, request, &response);
    (sent.ok() ? counters_.exported : counters_.not_sent).Increment(count);
    // Once for each time that it is lost.
    if (!sent.ok() && !std::exchange(lost_, true)) log::Warning("traces cannot be exported", {{"error", sent.error_message()}});
    if (sent.ok() && std::exchange(lost_, false)) log::Info("traces are exported again");
  }

  const ExportOptions options_;
  const std::unique_ptr<TraceService::Stub> stub_;
  const std::string host_ = HostName();
  Counters counters_ = MakeCounters();
  bool lost_ = false;

  std::mutex stop_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable finished_;
  std::vector<SpanData> waiting_;
  bool stopping_ = false;
  bool done_ = false;
  Clock::time_point end_ = Clock::time_point::max();
  // The message under way; null when there is none.
  grpc::ClientContext* sending_ = nullptr;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<OtlpExporter>> OtlpExporter::Start(ExportOptions options) {
  auto channel = ChannelTo(options.endpoint);
  if (!channel.ok()) return channel.status();
  return std::make_unique<Exporter>(std::move(options), *channel);
}

}  // namespace peiling::tracing
