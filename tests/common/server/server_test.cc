#include "services/common/server/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "prometheus/counter.h"
#include "services/common/log/log.h"
#include "services/common/server/listen.h"
#include "services/common/server/metrics.h"
#include "services/common/status/errors.h"
#include "services/common/tracing/span.h"
#include "tests/common/eventually.h"

namespace peiling::server {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using validation::v1::CheckQuestionnaireRequest;
using validation::v1::CheckQuestionnaireResponse;
using validation::v1::ValidateResponsesRequest;
using validation::v1::ValidateResponsesResponse;
using validation::v1::ValidationService;

constexpr char kService[] = "peiling.validation.v1.ValidationService";

// What a test sees of and says to a module inside a server.
struct Controls {
  std::atomic<bool> ready{true};
  std::atomic<bool> hold{false};
  std::atomic<int> entered{0};
  std::atomic<bool> stopped{false};
  absl::Status start;
  // What was current while the last call was handled.
  std::optional<tracing::TraceContext> seen;
};

// Keeps spans while it lives.
class Collected final : public tracing::Recorder {
 public:
  Collected() { tracing::SetRecorder(this, 1); }
  ~Collected() override { tracing::SetRecorder(nullptr, 0); }

  void Record(tracing::SpanData span) override {
    const std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
    changed_.notify_all();
  }

  // Spans by kind, once there are `count`; one server's ends just after its client's.
  std::map<tracing::Kind, tracing::SpanData> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, seconds(10), [&] { return spans_.size() >= count; }));
    std::map<tracing::Kind, tracing::SpanData> by_kind;
    for (const auto& span : spans_) by_kind[span.kind] = span;
    return by_kind;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<tracing::SpanData> spans_;
};

// Answers every call; while `hold` is set, after it no longer is, or CANCELLED.
class FakeModule final : public Module, ValidationService::Service {
 public:
  explicit FakeModule(Controls& controls) : controls_(controls) {}

  std::string name() const override { return kService; }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(this); }
  absl::Status Start() override { return controls_.start; }
  bool ready() const override { return controls_.ready; }
  std::string not_ready_reason() const override { return controls_.ready ? "" : "told so"; }
  void Stop() override { controls_.stopped = true; }

 private:
  grpc::Status CheckQuestionnaire(grpc::ServerContext* context, const CheckQuestionnaireRequest*,
                                  CheckQuestionnaireResponse* response) override {
    ++controls_.entered;
    while (controls_.hold && !context->IsCancelled()) std::this_thread::sleep_for(milliseconds(1));
    if (context->IsCancelled()) return grpc::Status::CANCELLED;
    if (const auto* span = tracing::Current()) controls_.seen = *span;
    response->set_fingerprint("answered");
    return grpc::Status::OK;
  }

  grpc::Status ValidateResponses(grpc::ServerContext*, const ValidateResponsesRequest*, ValidateResponsesResponse*) override {
    return status::ToGrpc(status::Error(absl::StatusCode::kFailedPrecondition, "QUESTIONNAIRE_UNKNOWN", "not seen"));
  }

  Controls& controls_;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    options_.listen = "127.0.0.1:0";
    options_.insecure = true;
    options_.drain_seconds = 5;
  }

  absl::StatusOr<std::unique_ptr<Server>> Start() { return Server::Start(options_, std::make_unique<FakeModule>(controls_)); }

  void StartOrFail() {
    auto server = Start();
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = options_.listen.empty() ? server_->InProcessChannel()
                                       : Connect(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
    stub_ = ValidationService::NewStub(channel_);
  }

  grpc::Status Call(const CheckQuestionnaireRequest& request = {}, seconds deadline = seconds(10)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    CheckQuestionnaireResponse response;
    return stub_->CheckQuestionnaire(&context, request, &response);
  }

  // A status, or what the check itself failed with.
  std::string HealthOf(const std::string& name) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + seconds(10));
    HealthCheckRequest request;
    request.set_service(name);
    HealthCheckResponse response;
    const grpc::Status status = Health::NewStub(channel_)->Check(&context, request, &response);
    if (!status.ok()) return absl::StatusCodeToString(static_cast<absl::StatusCode>(status.error_code()));
    return HealthCheckResponse::ServingStatus_Name(response.status());
  }

  Options options_;
  Controls controls_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<ValidationService::Stub> stub_;
};

// The body of http://127.0.0.1:port/metrics.
std::string Scrape(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string text;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    constexpr std::string_view kRequest = "GET /metrics HTTP/1.0\r\n\r\n";
    EXPECT_EQ(send(fd, kRequest.data(), kRequest.size(), 0), static_cast<ssize_t>(kRequest.size()));
    shutdown(fd, SHUT_WR);  // Or the server waits a while for more.
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) text.append(buffer, n);
  }
  close(fd);
  return text;
}

TEST_F(ServerTest, AnswersOverASocket) {
  StartOrFail();
  EXPECT_GT(server_->port(), 0);
  EXPECT_TRUE(Call().ok());
}

TEST_F(ServerTest, AnswersInProcessWithoutAPort) {
  options_.listen = "";
  StartOrFail();
  EXPECT_EQ(server_->port(), 0);
  EXPECT_TRUE(Call().ok());
}

TEST_F(ServerTest, SaysThatAPortIsTaken) {
  StartOrFail();
  options_.listen = absl::StrCat("127.0.0.1:", server_->port());
  const auto second = Start();
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status::Reason(second.status()), "PORT_TAKEN");
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(options_.listen));

  options_.metrics_listen = std::exchange(options_.listen, "127.0.0.1:0");
  EXPECT_EQ(status::Reason(Start().status()), "PORT_TAKEN");
}

TEST_F(ServerTest, TakesThePortOfAServerThatIsGone) {
  StartOrFail();
  ASSERT_TRUE(Call().ok());
  options_.listen = absl::StrCat("127.0.0.1:", server_->port());
  server_.reset();
  StartOrFail();
  EXPECT_TRUE(Call().ok());
}

TEST(CheckListenAddress, RefusesWhatIsNoAddressOfThisMachine) {
  for (const char* address :
       {"", "localhost", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "192.0.2.1:0", "no-such-host.invalid:0"}) {
    EXPECT_EQ(status::Reason(CheckListenAddress(address)), "ADDRESS_INVALID") << address;
  }
  for (const char* address : {"127.0.0.1:0", "0.0.0.0:0", "localhost:0", ":0"}) EXPECT_TRUE(CheckListenAddress(address).ok()) << address;
}

TEST_F(ServerTest, DoesNotStartWhenItsModuleDoesNot) {
  controls_.start = status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", "broken");
  EXPECT_EQ(status::Reason(Start().status()), "STORAGE_CORRUPT");
}

TEST_F(ServerTest, HealthFollowsTheModule) {
  controls_.ready = false;
  StartOrFail();
  EXPECT_EQ(HealthOf(""), "NOT_SERVING");
  EXPECT_EQ(HealthOf(kService), "NOT_SERVING");
  controls_.ready = true;
  EXPECT_TRUE(Eventually([&] { return HealthOf("") == "SERVING" && HealthOf(kService) == "SERVING"; }));
  controls_.ready = false;
  EXPECT_TRUE(Eventually([&] { return HealthOf("") == "NOT_SERVING"; }));
  EXPECT_EQ(HealthOf("no.such.Service"), "NOT_FOUND");
}

TEST_F(ServerTest, DrainLetsACallUnderWayFinish) {
  controls_.hold = true;
  StartOrFail();
  auto call = std::async(std::launch::async, [&] { return Call(); });
  ASSERT_TRUE(Eventually([&] { return controls_.entered == 1; }));
  auto shutdown = std::async(std::launch::async, [&] { server_->Shutdown(); });
  ASSERT_TRUE(Eventually([&] { return controls_.stopped.load(); }));
  EXPECT_EQ(shutdown.wait_for(milliseconds(50)), std::future_status::timeout);
  controls_.hold = false;
  EXPECT_TRUE(call.get().ok());
  shutdown.get();
  EXPECT_EQ(Call({}, seconds(1)).error_code(), grpc::StatusCode::UNAVAILABLE);
  server_->Shutdown();
}

TEST_F(ServerTest, HealthSaysNotServingWhileLoadBalancersTurnAway) {
  options_.drain_pause_seconds = 1;
  StartOrFail();
  ASSERT_EQ(HealthOf(""), "SERVING");
  auto shutdown = std::async(std::launch::async, [&] { server_->Shutdown(); });
  EXPECT_TRUE(Eventually([&] { return HealthOf("") == "NOT_SERVING" && HealthOf(kService) == "NOT_SERVING"; }));
  EXPECT_TRUE(Call().ok());
}

TEST_F(ServerTest, DrainEndsACallThatTakesTooLong) {
  controls_.hold = true;
  options_.drain_seconds = 0;
  StartOrFail();
  auto call = std::async(std::launch::async, [&] { return Call(); });
  ASSERT_TRUE(Eventually([&] { return controls_.entered == 1; }));
  server_->Shutdown();
  EXPECT_FALSE(call.get().ok());
}

TEST_F(ServerTest, RefusesAMessageOverTheLimit) {
  options_.max_message_bytes = 64 << 10;
  StartOrFail();
  CheckQuestionnaireRequest request;
  request.mutable_questionnaire()->set_version(std::string(60 << 10, 'x'));
  EXPECT_TRUE(Call(request).ok());
  request.mutable_questionnaire()->set_version(std::string(65 << 10, 'x'));
  EXPECT_EQ(Call(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, UnpacksNoMessage) {
  StartOrFail();
  CheckQuestionnaireRequest request;
  request.mutable_questionnaire()->set_version(std::string(1 << 20, 'x'));
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    CheckQuestionnaireResponse response;
    EXPECT_EQ(stub_->CheckQuestionnaire(&context, request, &response).error_code(), grpc::UNIMPLEMENTED);
  }
  EXPECT_EQ(controls_.entered, 0);
}

TEST_F(ServerTest, RefusesACallTooManyAtOnce) {
  options_.max_threads = 4;
  controls_.hold = true;
  StartOrFail();
  std::vector<std::future<grpc::Status>> calls;
  for (int i = 0; i < 16; ++i) calls.push_back(std::async(std::launch::async, [&] { return Call(); }));
  const bool refused = Eventually([&] {
    return std::any_of(calls.begin(), calls.end(), [](const auto& call) { return call.wait_for(seconds(0)) == std::future_status::ready; });
  });
  EXPECT_TRUE(refused);
  controls_.hold = false;
  int exhausted = 0, answered = 0;
  for (auto& call : calls) {
    const grpc::Status status = call.get();
    exhausted += status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
    answered += status.ok();
  }
  EXPECT_GT(exhausted, 0);
  EXPECT_GT(answered, 0);
}

TEST_F(ServerTest, MetricsEndpointShowsCallsByMethodAndCode) {
  options_.metrics_listen = "127.0.0.1:0";
  StartOrFail();
  ASSERT_GT(server_->metrics_port(), 0);
  ASSERT_TRUE(Call().ok());
  grpc::ClientContext context;
  ValidateResponsesResponse response;
  ASSERT_EQ(stub_->ValidateResponses(&context, {}, &response).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  // A call is counted when the server is done with it, just after its client is.
  const auto labels = [](const char* method) {
    return absl::StrCat("{grpc_code=\"", std::string(method) == "CheckQuestionnaire" ? "OK" : "FAILED_PRECONDITION", "\",grpc_method=\"",
                        method, "\",grpc_service=\"", kService, "\",grpc_type=\"unary\",server=\"", kService, "\"}");
  };
  EXPECT_TRUE(Eventually([&] {
    const std::string page = Scrape(server_->metrics_port());
    return page.find("grpc_server_handled_total" + labels("CheckQuestionnaire")) != std::string::npos &&
           page.find("grpc_server_handled_total" + labels("ValidateResponses")) != std::string::npos;
  })) << Scrape(server_->metrics_port());
  EXPECT_THAT(Scrape(server_->metrics_port()),
              AllOf(HasSubstr("grpc_server_handling_seconds_bucket"), HasSubstr("grpc_server_in_flight"), HasSubstr("peiling_build_info")));
}

TEST_F(ServerTest, MetricsShowCallsOfClientsAndTheProcess) {
  options_.metrics_listen = "127.0.0.1:0";
  StartOrFail();
  ASSERT_TRUE(Call().ok());
  EXPECT_THAT(Scrape(server_->metrics_port()),
              AllOf(HasSubstr(absl::StrCat("grpc_client_handled_total{grpc_code=\"OK\",grpc_method=\"CheckQuestionnaire\",grpc_service=\"",
                                           kService, "\",grpc_type=\"unary\"}")),
                    HasSubstr("grpc_client_handling_seconds_bucket"), HasSubstr("grpc_server_started_total"),
                    HasSubstr(absl::StrCat("peiling_ready{server=\"", kService, "\"} 1")),
                    HasSubstr(absl::StrCat("peiling_server_max_threads{server=\"", kService, "\"} 128")),
                    HasSubstr("process_resident_memory_bytes "), HasSubstr("process_cpu_seconds_total "), HasSubstr("process_open_fds "),
                    HasSubstr("process_start_time_seconds ")));
}

TEST_F(ServerTest, TheProcessStartedJustNow) {
  options_.metrics_listen = "127.0.0.1:0";
  StartOrFail();
  const std::string page = Scrape(server_->metrics_port());
  const std::string name = "\nprocess_start_time_seconds ";
  const double start = std::stod(page.substr(page.find(name) + name.size()));
  EXPECT_NEAR(start, static_cast<double>(time(nullptr)), 600);
}

TEST_F(ServerTest, OneTraceHoldsTheCallAtBothEndsAndIsCurrentInItsHandler) {
  Collected collected;
  StartOrFail();
  ASSERT_TRUE(Call().ok());
  auto spans = collected.WaitFor(2);
  const auto& client = spans.at(tracing::Kind::kClient);
  const auto& server = spans.at(tracing::Kind::kServer);
  EXPECT_FALSE(client.parent);
  EXPECT_EQ(client.name, absl::StrCat(kService, "/CheckQuestionnaire"));
  EXPECT_EQ(tracing::FormatTraceparent(*server.parent), tracing::FormatTraceparent(client.context));
  EXPECT_EQ(server.context.trace_id, client.context.trace_id);
  ASSERT_TRUE(controls_.seen);
  EXPECT_EQ(controls_.seen->span_id, server.context.span_id);
  EXPECT_THAT(server.texts, testing::ElementsAre(testing::Pair("rpc.system", "grpc"), testing::Pair("rpc.service", kService),
                                                 testing::Pair("rpc.method", "CheckQuestionnaire")));
  EXPECT_THAT(server.numbers, testing::ElementsAre(testing::Pair("rpc.grpc.status_code", 0)));
}

TEST_F(ServerTest, ACallIsPartOfTheSpanItsMetadataNames) {
  Collected collected;
  StartOrFail();
  grpc::ClientContext context;
  context.AddMetadata("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  context.AddMetadata("tracestate", "congo=t61rcWkgMzE");
  CheckQuestionnaireResponse response;
  ASSERT_TRUE(stub_->CheckQuestionnaire(&context, {}, &response).ok());
  auto spans = collected.WaitFor(2);
  EXPECT_EQ(tracing::Hex(spans.at(tracing::Kind::kClient).parent->span_id), "00f067aa0ba902b7");
  EXPECT_EQ(tracing::Hex(spans.at(tracing::Kind::kServer).context.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(spans.at(tracing::Kind::kServer).context.state, "congo=t61rcWkgMzE");
}

TEST_F(ServerTest, MetadataThatNamesNoSpanBeginsATrace) {
  Collected collected;
  StartOrFail();
  const auto foreign =
      ValidationService::NewStub(grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.AddMetadata("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01");
  CheckQuestionnaireResponse response;
  ASSERT_TRUE(foreign->CheckQuestionnaire(&context, {}, &response).ok());
  EXPECT_FALSE(collected.WaitFor(1).at(tracing::Kind::kServer).parent);
}

TEST_F(ServerTest, AFailedCallIsALineInTheLog) {
  log::Init("test", log::Level::kInfo);
  StartOrFail();
  testing::internal::CaptureStderr();
  ASSERT_TRUE(Call().ok());
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "r-1");
  ValidateResponsesResponse response;
  ASSERT_FALSE(stub_->ValidateResponses(&context, {}, &response).ok());
  server_->Shutdown();
  server_.reset();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(
      text,
      AllOf(
          HasSubstr("\"message\":\"call failed\""), HasSubstr("ValidateResponses"),
          HasSubstr(
              "\"code\":\"FAILED_PRECONDITION\",\"reason\":\"QUESTIONNAIRE_UNKNOWN\",\"request_id\":\"r-1\",\"peer\":\"ipv4:127.0.0.1:")));
  EXPECT_THAT(text, testing::Not(HasSubstr("CheckQuestionnaire")));
}

TEST_F(ServerTest, AStormOfFailedCallsIsNoStormOfLines) {
  log::Init("test", log::Level::kInfo);
  StartOrFail();
  testing::internal::CaptureStderr();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    grpc::ClientContext context;
    ValidateResponsesResponse response;
    ASSERT_FALSE(stub_->ValidateResponses(&context, {}, &response).ok());
  }
  const auto taken = std::chrono::ceil<seconds>(std::chrono::steady_clock::now() - begin);
  server_->Shutdown();
  const std::string text = testing::internal::GetCapturedStderr();
  int lines = 0;
  for (size_t at = 0; (at = text.find("call failed", at)) != std::string::npos; ++at) ++lines;
  EXPECT_GT(lines, 0);
  EXPECT_LE(lines, 100 * (taken.count() + 1));
}

TEST_F(ServerTest, MetricsOfTheDomainStandOnTheSamePage) {
  options_.metrics_listen = "127.0.0.1:0";
  StartOrFail();
  prometheus::BuildCounter().Name("peiling_test_total").Help("Of this test.").Register(Metrics()).Add({}).Increment(3);
  EXPECT_THAT(Scrape(server_->metrics_port()), HasSubstr("peiling_test_total 3"));
}

TEST_F(ServerTest, MethodsNoContractKnowsShareOneSeries) {
  options_.metrics_listen = "127.0.0.1:0";
  StartOrFail();
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    const CheckQuestionnaireRequest request;
    CheckQuestionnaireResponse response;
    std::promise<grpc::Status> answer;
    grpc::TemplatedGenericStub<CheckQuestionnaireRequest, CheckQuestionnaireResponse>(channel_).UnaryCall(
        &context, absl::StrCat("/no.such.Service/Method", i), {}, &request, &response,
        [&answer](grpc::Status status) { answer.set_value(std::move(status)); });
    EXPECT_EQ(answer.get_future().get().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
  EXPECT_THAT(Scrape(server_->metrics_port()), testing::Not(HasSubstr("no.such.Service")));
}

}  // namespace
}  // namespace peiling::server
