#include "services/common/tracing/otlp_exporter.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"
#include "services/common/server/metrics.h"
#include "services/common/status/errors.h"

namespace peiling::tracing {
namespace {

using ::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using ::opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;
using ::opentelemetry::proto::collector::trace::v1::TraceService;
using ::opentelemetry::proto::trace::v1::Span_SpanKind_SPAN_KIND_CLIENT;
using ::opentelemetry::proto::trace::v1::Status_StatusCode_STATUS_CODE_ERROR;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A collector; while `hold` is set it takes its time.
class Collector final : public TraceService::Service {
 public:
  Collector() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~Collector() override {
    Hold(false);
    server_->Shutdown();
  }

  std::string endpoint() const { return absl::StrCat("http://127.0.0.1:", port_); }

  void Hold(bool hold) {
    const std::lock_guard lock(mutex_);
    hold_ = hold;
    changed_.notify_all();
  }

  bool WaitForMessages(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] { return messages_.size() >= count; });
  }

  std::vector<ExportTraceServiceRequest> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }

 private:
  grpc::Status Export(grpc::ServerContext*, const ExportTraceServiceRequest* request, ExportTraceServiceResponse*) override {
    std::unique_lock lock(mutex_);
    messages_.push_back(*request);
    changed_.notify_all();
    changed_.wait_for(lock, seconds(20), [this] { return !hold_; });
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_ = false;
  std::vector<ExportTraceServiceRequest> messages_;
  std::unique_ptr<grpc::Server> server_;
};

SpanData Made() {
  SpanData span;
  span.context.trace_id[0] = span.context.span_id[0] = 1;
  span.context.state = "a=1";
  span.parent = TraceContext();
  span.parent->span_id[7] = 2;
  span.name = "name";
  span.kind = Kind::kClient;
  span.begin = std::chrono::system_clock::time_point(seconds(1));
  span.end = std::chrono::system_clock::time_point(seconds(3));
  span.texts = {{"text", "value"}};
  span.numbers = {{"number", 7}};
  span.links.emplace_back().span_id[0] = 9;
  span.failed = true;
  return span;
}

double Counted(const std::string& name, const std::string& reason) {
  for (const auto& family : server::Metrics().Collect()) {
    if (family.name != name) continue;
    for (const auto& metric : family.metric) {
      if (reason.empty() || metric.label.at(0).value == reason) return metric.counter.value;
    }
  }
  return 0;
}

TEST(OtlpExporter, SendsEverythingASpanHolds) {
  Collector collector;
  auto exporter = OtlpExporter::Start({.endpoint = collector.endpoint(), .service = "peiling-intake", .version = "1"});
  ASSERT_TRUE(exporter.ok());
  (*exporter)->Record(Made());
  (*exporter)->Stop(seconds(10));
  ASSERT_EQ(collector.messages().size(), 1u);
  const auto message = collector.messages().front();
  ASSERT_EQ(message.resource_spans_size(), 1);
  std::map<std::string, std::string> resource;
  for (const auto& attribute : message.resource_spans(0).resource().attributes())
    resource[attribute.key()] = attribute.value().string_value();
  EXPECT_EQ(resource["service.name"], "peiling-intake");
  EXPECT_EQ(resource["service.version"], "1");
  const auto& span = message.resource_spans(0).scope_spans(0).spans(0);
  EXPECT_EQ(span.trace_id(), "\x01" + std::string(15, '\0'));
  EXPECT_EQ(span.span_id(), "\x01" + std::string(7, '\0'));
  EXPECT_EQ(span.parent_span_id(), std::string(7, '\0') + "\x02");
  EXPECT_EQ(span.trace_state(), "a=1");
  EXPECT_EQ(span.name(), "name");
  EXPECT_EQ(span.kind(), Span_SpanKind_SPAN_KIND_CLIENT);
  EXPECT_EQ(span.start_time_unix_nano(), 1'000'000'000u);
  EXPECT_EQ(span.end_time_unix_nano(), 3'000'000'000u);
  ASSERT_EQ(span.attributes_size(), 2);
  EXPECT_EQ(span.attributes(0).value().string_value(), "value");
  EXPECT_EQ(span.attributes(1).value().int_value(), 7);
  EXPECT_EQ(span.links_size(), 1);
  EXPECT_EQ(span.status().code(), Status_StatusCode_STATUS_CODE_ERROR);
}

TEST(OtlpExporter, SendsInBatches) {
  Collector collector;
  auto exporter = OtlpExporter::Start({.endpoint = collector.endpoint(), .max_batch = 10, .interval = seconds(600)});
  ASSERT_TRUE(exporter.ok());
  for (int i = 0; i < 9; ++i) (*exporter)->Record(Made());
  EXPECT_TRUE(collector.messages().empty());
  (*exporter)->Record(Made());
  ASSERT_TRUE(collector.WaitForMessages(1));
  EXPECT_EQ(collector.messages()[0].resource_spans(0).scope_spans(0).spans_size(), 10);
}

TEST(OtlpExporter, DropsAndCountsWhatIsTooMuchWithoutWaiting) {
  Collector collector;
  collector.Hold(true);
  auto exporter = OtlpExporter::Start({.endpoint = collector.endpoint(), .max_waiting = 5, .max_batch = 1});
  ASSERT_TRUE(exporter.ok());
  const double before = Counted("peiling_traces_dropped_total", "queue_full");
  (*exporter)->Record(Made());
  ASSERT_TRUE(collector.WaitForMessages(1));
  for (int i = 0; i < 8; ++i) (*exporter)->Record(Made());
  EXPECT_EQ(Counted("peiling_traces_dropped_total", "queue_full"), before + 3);
  collector.Hold(false);
  ASSERT_TRUE(collector.WaitForMessages(6));
}

TEST(OtlpExporter, GivesUpOnACollectorThatIsNotThere) {
  auto exporter = OtlpExporter::Start({.endpoint = "http://127.0.0.1:1", .interval = milliseconds(1), .timeout = milliseconds(50)});
  ASSERT_TRUE(exporter.ok());
  const double before = Counted("peiling_traces_dropped_total", "not_sent");
  (*exporter)->Record(Made());
  for (int i = 0; i < 200 && Counted("peiling_traces_dropped_total", "not_sent") == before; ++i) {
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_EQ(Counted("peiling_traces_dropped_total", "not_sent"), before + 1);
}

TEST(OtlpExporter, StopsInTimeThoughTheCollectorHangs) {
  Collector collector;
  collector.Hold(true);
  auto exporter = OtlpExporter::Start({.endpoint = collector.endpoint(), .max_batch = 1});
  ASSERT_TRUE(exporter.ok());
  (*exporter)->Record(Made());
  ASSERT_TRUE(collector.WaitForMessages(1));
  (*exporter)->Record(Made());
  const auto begin = std::chrono::steady_clock::now();
  (*exporter)->Stop(milliseconds(200));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
}

TEST(OtlpExporter, SaysThatAnEndpointIsNone) {
  for (const char* endpoint : {"", "http://", "https://", "http://host:4317/v1/traces"}) {
    EXPECT_EQ(status::Reason(OtlpExporter::Start({.endpoint = endpoint}).status()), "OTLP_ENDPOINT_INVALID") << endpoint;
  }
  EXPECT_TRUE(OtlpExporter::Start({.endpoint = "http://host:4317/"}).ok());
  EXPECT_TRUE(OtlpExporter::Start({.endpoint = "dns:///host:4317"}).ok());
}

}  // namespace
}  // namespace peiling::tracing
